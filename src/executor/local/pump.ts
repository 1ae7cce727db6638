/** The pump, when a grandchild of the step holds the log's pipe: the pump is ended, the grandchild is not. */
import { existsSync } from "node:fs";
import type { Attempt } from "./ending.ts";
import { laneProcesses, type Signal, signalEach } from "./rungs/ladder.ts";
import { isPump } from "./rungs/session.ts";

/** @returns after how many milliseconds to look again; null when nothing is left to do */
export function endPump(attempt: Attempt, kill: Signal): number | null {
  const { lane } = attempt;
  if (lane === null || attempt.outcome !== null || attempt.ending !== null) return null;
  const { shim, ...identity } = lane.identity();
  if (shim === null) return 100;
  const pumps = laneProcesses(lane.record.scope, { shim, ...identity }).filter((it) => isPump(it, shim.pid));
  const hasToTell = existsSync(attempt.paths.drained) || existsSync(attempt.paths.masked);
  if (hasToTell && !attempt.drainAsked) {
    attempt.drainAsked = true;
    signalEach(pumps, "SIGUSR1", kill); // it tells what it has drained so far, and stores what it has held back
    return 50;
  }
  signalEach(pumps, "SIGKILL", kill);
  return 100;
}
