/** The gate of an attempt: one file decides whether a step may begin, and whoever makes it knows. */
import { closeSync, constants, existsSync, mkdirSync, openSync, statSync, writeSync } from "node:fs";
import type { Outcome } from "../../domain/index.ts";
import { errorCode } from "../../kernel/index.ts";
import type { Attempt } from "./ending.ts";
import { begunSomewhere } from "./jobs.ts";
import { neverBegan } from "./settle.ts";

/**
 * O_EXCL: whoever makes the file decides whether the step may begin. The shim's is empty, ours is not. Where the job's
 * record is gone, a gate may be gone with it, and a new one would prove nothing.
 */
export function takeGate(attempt: Attempt): boolean {
  if (!existsSync(attempt.job.paths.record)) return false;
  if (begunSomewhere(attempt.job, attempt.paths.name)) return false;
  try {
    mkdirSync(attempt.job.paths.steps, { recursive: true });
    const gate = openSync(
      attempt.paths.gate,
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
      0o600,
    );
    writeSync(gate, "server\n");
    closeSync(gate);
    return true;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    return (statSync(attempt.paths.gate, { throwIfNoEntry: false })?.size ?? 0) > 0;
  }
}

/** Of an attempt whose gate we hold. */
export function lostBeforeBegin(attempt: Attempt, message: string, at: Date): Outcome {
  const whole =
    attempt.job.ofThisBoot && existsSync(attempt.job.paths.record) && existsSync(attempt.job.paths.workspace);
  return neverBegan("executor_lost", `${message}; no command of it was run`, at, whole ? "whole" : "gone");
}
