/** The log writer, when a grandchild of the step holds the log's pipe: the log writer is ended, the grandchild is not. */
import { existsSync, statSync } from "node:fs";
import { type Attempt, UNHELD_LOG_MS } from "../attempts/ending.ts";
import { type Signal, signalEach, workerProcesses } from "../containment/containment.ts";
import { isLogWriter, isMachinery } from "../containment/session.ts";

const LOOK_MS = 50;
const MAX_LOOKS_UNHELD = UNHELD_LOG_MS / LOOK_MS;
/** Bounds the wait for the answer of a log writer, which a busy machine delays. */
const MAX_LOOKS_ASKED = 100;

/** @returns after how many milliseconds to look again; null when nothing is left to do */
export function endLogWriter(attempt: Attempt, kill: Signal): number | null {
  const { worker, drain } = attempt;
  if (worker === null || attempt.outcome !== null || attempt.ending !== null) return null;
  const { shim, ...identity } = worker.identity();
  if (shim === null) return LOOK_MS;
  const processes = workerProcesses(worker.record.scope, { shim, ...identity });
  const isHeld = processes.some((it) => !isMachinery(it, shim.pid));
  // A log writer whose pipe nobody holds comes to the end of the log by itself.
  if (!isHeld && drain.asked === null && drain.looks++ < MAX_LOOKS_UNHELD) return LOOK_MS;
  const writers = processes.filter((it) => isLogWriter(it, shim.pid));
  const size = statSync(attempt.paths.drained, { throwIfNoEntry: false })?.size;
  if (size !== undefined || existsSync(attempt.paths.masked)) {
    if (drain.asked === null) Object.assign(drain, { asked: size ?? 0, looks: 0 });
    if ((size ?? 0) === drain.asked && drain.looks++ < MAX_LOOKS_ASKED) {
      // It stores what it has held back, and tells what it has drained so far. One that has just started may miss it.
      signalEach(writers, "SIGUSR1", kill);
      return LOOK_MS;
    }
  }
  signalEach(writers, "SIGKILL", kill);
  return LOOK_MS * 2;
}
