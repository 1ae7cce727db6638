/** The pump, when a grandchild of the step holds the log's pipe: the pump is ended, the grandchild is not. */
import { existsSync, statSync } from "node:fs";
import { type Attempt, UNHELD_LOG_MS } from "./ending.ts";
import { laneProcesses, type Signal, signalEach } from "./rungs/ladder.ts";
import { isMachinery, isPump } from "./rungs/session.ts";

const LOOK_MS = 50;
const MAX_LOOKS_UNHELD = UNHELD_LOG_MS / LOOK_MS;
/** Bounds the wait for the answer of a pump, which a busy machine delays. */
const MAX_LOOKS_ASKED = 100;

/** @returns after how many milliseconds to look again; null when nothing is left to do */
export function endPump(attempt: Attempt, kill: Signal): number | null {
  const { lane, drain } = attempt;
  if (lane === null || attempt.outcome !== null || attempt.ending !== null) return null;
  const { shim, ...identity } = lane.identity();
  if (shim === null) return LOOK_MS;
  const processes = laneProcesses(lane.record.scope, { shim, ...identity });
  const isHeld = processes.some((it) => !isMachinery(it, shim.pid));
  // A pump whose pipe nobody holds comes to the end of the log by itself.
  if (!isHeld && drain.asked === null && drain.looks++ < MAX_LOOKS_UNHELD) return LOOK_MS;
  const pumps = processes.filter((it) => isPump(it, shim.pid));
  const size = statSync(attempt.paths.drained, { throwIfNoEntry: false })?.size;
  if (size !== undefined || existsSync(attempt.paths.masked)) {
    if (drain.asked === null) Object.assign(drain, { asked: size ?? 0, looks: 0 });
    if ((size ?? 0) === drain.asked && drain.looks++ < MAX_LOOKS_ASKED) {
      // It stores what it has held back, and tells what it has drained so far. One that has just started may miss it.
      signalEach(pumps, "SIGUSR1", kill);
      return LOOK_MS;
    }
  }
  signalEach(pumps, "SIGKILL", kill);
  return LOOK_MS * 2;
}
