/**
 * Executors are started by a program of the operator's: `PROGRAM… launch` and `PROGRAM… release`, with one line of JSON on
 * standard input. It starts what is needed and ends; its exit status says whether that worked.
 */
import { spawn } from "node:child_process";
import type { ExecutionSpec } from "../../../domain/index.ts";
import { Problem } from "../../../kernel/index.ts";
import type { Launcher } from "../types.ts";

export interface CommandLauncherOptions {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Address for callbacks; null: no server listens. */
  readonly url: () => string | null;
  readonly tokenOf: (execution: Pick<ExecutionSpec, "executionId" | "attempt">) => string;
  /** Milliseconds that one call may take. */
  readonly limitMs: number;
}

const maxSaid = 4_096;

export function createCommandLauncher(options: CommandLauncherOptions): Launcher {
  return {
    openJob: async () => undefined,
    async submit(spec) {
      const url = options.url();
      if (url === null)
        throw new Problem("executor_failed", "No server listens that the executor could report to.", {
          remedy: "Start the server, or name its address in remote.url.",
        });
      await run(options, "launch", {
        url,
        token: options.tokenOf(spec),
        execution_id: spec.executionId,
        attempt: spec.attempt,
        pipeline_run_id: spec.job.runId,
        job: { id: spec.job.jobId, attempt: spec.job.attempt, type: spec.job.jobType },
        step: spec.name,
        image: spec.image,
        timeout_seconds: spec.timeoutSeconds,
      });
    },
    cancel: async () => undefined,
    closeJob: ({ jobId, attempt }) => run(options, "release", { job: { id: jobId, attempt } }),
  };
}

async function run(
  { command: [program = "", ...rest], environment, limitMs }: CommandLauncherOptions,
  verb: "launch" | "release",
  order: Readonly<Record<string, unknown>>,
): Promise<void> {
  const child = spawn(program, [...rest, verb], {
    env: environment,
    stdio: ["pipe", "ignore", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<string | null>();
  let said = "";
  child.on("error", reject);
  // Not "close": what it started may hold its standard error for as long as it lives.
  child.on("exit", (code, signal) => resolve(code === 0 ? null : (signal ?? `exit status ${code}`)));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, maxSaid);
  });
  // Whoever reads nothing of it says so by its exit status.
  child.stdin.on("error", () => undefined);
  child.stdin.end(`${JSON.stringify(order)}\n`);
  let fault: string | null;
  try {
    fault = await ended;
  } catch (error) {
    throw failed(program, verb, "it could not be started", error);
  } finally {
    child.stderr.destroy();
  }
  if (fault === null) return;
  const how = fault === "SIGKILL" ? `it took longer than ${limitMs / 1_000} s` : fault;
  throw failed(program, verb, said.trim() === "" ? how : `${how}: ${said.trim()}`);
}

function failed(program: string, verb: string, fact: string, cause?: unknown): Problem {
  return new Problem("executor_failed", `${program} ${verb} failed: ${fact}`, {
    remedy: "remote.launch names a program that starts an executor, and ends with 0 when that is done.",
    ...(cause === undefined ? {} : { cause }),
  });
}
