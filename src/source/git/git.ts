/**
 * Runs `git` with exact arguments, a clean environment and a time limit. It has its own session, so that git and ssh find
 * no terminal for prompts and all its processes can be ended.
 */
import { type Clock, Problem, wakeReason } from "../../kernel/index.ts";
import { explainGit } from "./problem.ts";
import { createGitProcesses, type GitResult } from "./process.ts";

const defaultOutputCap = 256 * 1024 * 1024;

export interface GitCall {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** File for stdin. Default: empty. */
  readonly stdin?: string;
  readonly limitMs: number;
  /** Maximum size of stdout. Git is ended there and `cut` is set. */
  readonly outputCap?: number;
  /** Configuration of git: the person's (credential helpers, insteadOf, excludes file), or none. */
  readonly config: "person" | "none";
}

export interface Git extends AsyncDisposable {
  /** Resolves with any exit status. @throws Problem environment, source_unavailable (time limit) */
  run(call: GitCall, signal?: AbortSignal): Promise<GitResult>;
  /** Runs git and throws a Problem about `what` (an address, a directory) if the exit status is not 0. */
  expect(call: GitCall, what: string, signal?: AbortSignal): Promise<GitResult>;
}

export interface GitOptions {
  readonly git: string;
  readonly environment: Readonly<Record<string, string>>;
  /** `person`: network calls and calls in a working copy read the person's configuration. `none`: no call does. */
  readonly config: "person" | "none";
  readonly protocols: string;
  readonly clock: Clock;
}

/** GIT_* variables for transport and trust. All others could redirect git to another repository. */
const kept =
  /^GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|PROXY_COMMAND|SSL_.*|CONFIG_GLOBAL|CONFIG_SYSTEM|EXEC_PATH)$/;

function baseEnvironment(options: GitOptions): Record<string, string> {
  const entries = Object.entries(options.environment);
  return {
    ...Object.fromEntries(entries.filter(([name]) => !name.startsWith("GIT_") || kept.test(name))),
    LC_ALL: "C",
    LANGUAGE: "C",
    GIT_TERMINAL_PROMPT: "0",
    SSH_ASKPASS_REQUIRE: "never",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_PAGER: "cat",
    GIT_ALLOW_PROTOCOL: options.protocols,
    GIT_PROTOCOL_FROM_USER: "0",
  };
}

const noConfig = { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_ATTR_NOSYSTEM: "1" };
const always = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"];

export function createGit(options: GitOptions): Git {
  const processes = createGitProcesses(
    { ...baseEnvironment(options), ...(options.config === "none" ? noConfig : {}) },
    options.clock,
  );

  async function run(call: GitCall, signal?: AbortSignal): Promise<GitResult> {
    signal?.throwIfAborted();
    const over = new AbortController();
    const stop = new AbortController();
    const abort = () => stop.abort();
    signal?.addEventListener("abort", abort, { once: true });
    const limit = options.clock.sleep(call.limitMs, over.signal).then(() => {
      if (!over.signal.aborted) stop.abort();
    });
    try {
      const result = await processes.run(
        {
          program: options.git,
          args: [...always, ...call.args],
          cwd: call.cwd,
          env: { ...(call.config === "person" ? {} : noConfig), ...call.env },
          stdin: call.stdin ?? "/dev/null",
          outputCap: call.outputCap ?? defaultOutputCap,
        },
        stop.signal,
      );
      signal?.throwIfAborted();
      if (stop.signal.aborted) throw tooSlow(call);
      if (result.code === 126 || result.code === 127)
        throw cannotStart(result.stderr, result.code === 127, options.git);
      return result;
    } finally {
      over.abort(wakeReason);
      signal?.removeEventListener("abort", abort);
      await limit;
    }
  }

  async function expect(call: GitCall, what: string, signal?: AbortSignal): Promise<GitResult> {
    const result = await run(call, signal);
    if (result.code !== 0) throw explainGit(result, what);
    return result;
  }

  return { run, expect, [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose]() };
}

function tooSlow(call: GitCall): Problem {
  const command = call.args.find((argument) => /^[a-z][a-z-]+$/.test(argument)) ?? "git";
  return new Problem(
    "source_unavailable",
    `git ${command} was ended after ${Math.round(call.limitMs / 1000)} s.`,
    {
      remedy: "Check whether the repository's host answers, and try again.",
    },
  );
}

function cannotStart(said: string, missing: boolean, git: string): Problem {
  const fact = missing
    ? `The program "${git}" was not found.`
    : `The program "${git}" cannot be started (${said.trim()}).`;
  return new Problem("environment", fact, {
    remedy: "Install git 2.39 or later (Debian: apt-get install git) and make sure that it is in PATH.",
  });
}
