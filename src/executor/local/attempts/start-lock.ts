/** The start lock of an attempt: one file decides whether a step may begin, and whoever makes it knows. */
import { closeSync, constants, existsSync, mkdirSync, openSync, statSync, writeSync } from "node:fs";
import type { Outcome } from "../../../domain/index.ts";
import { errorCode } from "../../../kernel/index.ts";
import { begunSomewhere } from "../jobs/jobs.ts";
import type { Attempt } from "./ending.ts";
import { neverBegan } from "./outcome.ts";

/**
 * O_EXCL: whoever makes the file decides whether the step may begin. The shim's is empty, ours is not. Where the job's
 * record is gone, a start lock may be gone with it, and a new one would prove nothing.
 */
export function takeStartLock(attempt: Attempt): boolean {
  if (!existsSync(attempt.job.paths.record)) return false;
  if (begunSomewhere(attempt.job, attempt.paths.name)) return false;
  try {
    mkdirSync(attempt.job.paths.steps, { recursive: true });
    const file = openSync(
      attempt.paths.startLock,
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
      0o600,
    );
    writeSync(file, "server\n");
    closeSync(file);
    return true;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    return (statSync(attempt.paths.startLock, { throwIfNoEntry: false })?.size ?? 0) > 0;
  }
}

/** Outcome of an attempt whose start lock this server holds. */
export function lostBeforeBegin(attempt: Attempt, message: string, at: Date): Outcome {
  const whole =
    attempt.job.ofThisBoot && existsSync(attempt.job.paths.record) && existsSync(attempt.job.paths.workspace);
  return neverBegan("executor_lost", `${message}; no command of it was run`, at, whole ? "whole" : "gone");
}
