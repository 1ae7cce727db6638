/** Which processes on a data directory are still there. */
import { readProcess, systemClock, thisMachine } from "../kernel/index.ts";
import { isInstanceAlive } from "../services/index.ts";
import type { InstanceRow } from "../store/index.ts";

/**
 * A server that announced its absence is alive to everybody until that is over, but to a server that comes after it: that
 * one knows whether the process is still there.
 */
export function isAlive(instance: InstanceRow, mode: "run" | "read" | "serve"): boolean {
  const now = systemClock.now();
  if (
    mode !== "serve" &&
    instance.ended_at === null &&
    instance.away_until !== null &&
    instance.away_until > now
  )
    return true;
  return isInstanceAlive(instance, thisMachine(), startTimeOf, now);
}

/** @returns null when there is no such process, or only its remains */
export function startTimeOf(pid: number): string | null {
  const found = readProcess(pid);
  return found === null || found.zombie ? null : found.start;
}
