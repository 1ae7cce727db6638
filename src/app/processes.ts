/** Tests whether processes of a data directory are alive. */
import { readProcess, systemClock, thisMachine } from "../kernel/index.ts";
import { isInstanceAlive } from "../services/index.ts";
import type { InstanceRow } from "../store/index.ts";

/**
 * Tests whether an instance is alive. A server that announced a restart counts as alive until its deadline, except for the
 * next server, which checks the process.
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

/** @returns null when there is no such process, or only a zombie */
export function startTimeOf(pid: number): string | null {
  const found = readProcess(pid);
  return found === null || found.zombie ? null : found.start;
}
