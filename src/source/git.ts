/**
 * Runs the real `git`: an argument array, never a shell; an environment of its own; a session of its own, so that
 * neither git nor ssh finds a terminal to ask on and the whole family can be ended; a time limit on every call.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { type Clock, errorCode, Problem } from "../kernel/index.ts";
import { explainGit } from "./git-problem.ts";

const stderrCap = 64 * 1024;
const defaultOutputCap = 256 * 1024 * 1024;
/** A helper (say, a credential cache) may keep our pipes open after git's end; it gets this long. */
const pipeGraceMs = 1000;
const killGraceMs = 2000;

export interface GitCall {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Buffer | string;
  readonly limitMs: number;
  /** Bytes of stdout after which git is ended and `cut` is set. */
  readonly outputCap?: number;
  /** Whose configuration holds: the person's (credential helpers, insteadOf, excludes file), or none. */
  readonly config: "person" | "none";
}

export interface GitResult {
  /** 128 + n when signal n ended it. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly cut: boolean;
}

export interface Git {
  /** Resolves whatever the exit status. @throws Problem environment, source_unavailable (time limit) */
  run(call: GitCall, signal?: AbortSignal): Promise<GitResult>;
  /** As `run`, and an exit status other than 0 becomes a Problem about `what` (an address, a directory). */
  expect(call: GitCall, what: string, signal?: AbortSignal): Promise<GitResult>;
}

export interface GitOptions {
  readonly git: string;
  readonly environment: Readonly<Record<string, string>>;
  /** `person`: network calls and calls in a person's repository read their configuration. `none`: nothing does. */
  readonly config: "person" | "none";
  readonly protocols: string;
  readonly clock: Clock;
}

/** GIT_* variables that say how to reach and trust a remote; all others could redirect us to another repository. */
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
  const person = { ...baseEnvironment(options), ...(options.config === "none" ? noConfig : {}) };
  const nobody = { ...person, ...noConfig };

  async function run(call: GitCall, signal?: AbortSignal): Promise<GitResult> {
    signal?.throwIfAborted();
    const child = spawn(options.git, [...always, ...call.args], {
      cwd: call.cwd,
      env: { ...(call.config === "person" ? person : nobody), ...call.env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    const over = new AbortController();
    let late = false;
    const abort = () => endFamily(child, options.clock, over.signal);
    signal?.addEventListener("abort", abort, { once: true });
    const limit = options.clock.sleep(call.limitMs, over.signal).then(() => {
      if (over.signal.aborted) return;
      late = true;
      abort();
    });
    try {
      const result = await collect(child, call, options.clock);
      signal?.throwIfAborted();
      if (late) throw tooSlow(call);
      return result;
    } catch (error) {
      throw error instanceof Problem || signal?.aborted ? error : cannotStart(error, options.git);
    } finally {
      over.abort();
      signal?.removeEventListener("abort", abort);
      await limit;
    }
  }

  async function expect(call: GitCall, what: string, signal?: AbortSignal): Promise<GitResult> {
    const result = await run(call, signal);
    if (result.code !== 0) throw explainGit(result, what);
    return result;
  }

  return { run, expect };
}

function collect(child: ChildProcess, call: GitCall, clock: Clock): Promise<GitResult> {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("git was started without pipes");
  const cap = call.outputCap ?? defaultOutputCap;
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let outBytes = 0;
  let errBytes = 0;
  let cut = false;
  stdout.on("data", (chunk: Buffer) => {
    outBytes += chunk.length;
    if (cut) return;
    out.push(chunk);
    if (outBytes <= cap) return;
    cut = true;
    signalFamily(child, "SIGKILL");
  });
  stderr.on("data", (chunk: Buffer) => {
    if (errBytes < stderrCap) err.push(chunk);
    errBytes += chunk.length;
  });
  // git may end before it has read everything; its exit status tells the story.
  stdin.on("error", () => {});
  stdin.end(call.input);

  return new Promise((resolve, reject) => {
    const closed = new AbortController();
    let code = 0;
    const finish = () => {
      closed.abort();
      resolve({ code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString("utf8"), cut });
    };
    child.once("error", reject);
    child.once("exit", (status, killedBy) => {
      code = status ?? (killedBy === "SIGKILL" ? 137 : 143);
      void clock.sleep(pipeGraceMs, closed.signal).then(() => {
        if (closed.signal.aborted) return;
        stdout.destroy();
        stderr.destroy();
        finish();
      });
    });
    child.once("close", finish);
  });
}

/** SIGTERM lets git remove its temporary files; SIGKILL follows for what does not listen. */
function endFamily(child: ChildProcess, clock: Clock, over: AbortSignal): void {
  signalFamily(child, "SIGTERM");
  void clock.sleep(killGraceMs, over).then(() => {
    if (!over.aborted) signalFamily(child, "SIGKILL");
  });
}

function signalFamily(child: ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  try {
    // biome-ignore lint/style/noRestrictedGlobals: this reads nothing; ChildProcess.kill cannot reach a whole group.
    process.kill(-child.pid, name);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}

function tooSlow(call: GitCall): Problem {
  const command = call.args.find((argument) => /^[a-z][a-z-]+$/.test(argument)) ?? "git";
  return new Problem(
    "source_unavailable",
    `git ${command} was ended after ${Math.round(call.limitMs / 1000)} s`,
    {
      remedy: "Check whether the repository's host answers, and try again.",
    },
  );
}

function cannotStart(error: unknown, git: string): Problem {
  const code = errorCode(error);
  const fact =
    code === "ENOENT"
      ? `The program "${git}" was not found`
      : `The program "${git}" cannot be started (${code ?? "unknown error"})`;
  return new Problem("environment", fact, {
    remedy: "Install git 2.39 or later (Debian: apt-get install git) and see that it is in PATH.",
    cause: error,
  });
}
