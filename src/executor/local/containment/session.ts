/** The last strategy: what belongs to a worker by its session or by the mark in its environment, found by reading /proc. */
import {
  allPids,
  isExecuting,
  type ProcessInfo,
  readEnvironment,
  readProcess,
} from "../../../kernel/index.ts";
import type { WorkerIdentity } from "./containment.ts";

/**
 * A session id counts only while the shim that leads it lives and is the one we started: afterwards the number may be
 * somebody else's. A process that cleared its environment and left the session is not found here.
 */
export const sessionProcesses = (worker: WorkerIdentity): ProcessInfo[] => scanSession(worker).found;

/** `unclear`: processes that show no environment now, and may be the worker's a moment later. */
export function scanSession(worker: WorkerIdentity): {
  readonly found: ProcessInfo[];
  readonly unclear: number;
} {
  const leader = worker.shim === null ? null : readProcess(worker.shim.pid);
  const session = leader !== null && leader.start === worker.shim?.start ? leader.pid : null;
  const mark = `\0SHIPINATOR_WORKER=${Buffer.from(worker.mark).toString("latin1")}`;
  let unclear = 0;
  const found = allPids().flatMap((pid) => {
    const it = readProcess(pid);
    if (it === null || it.zombie) return [];
    if (it.session === session) return [it];
    const environment = readEnvironment(pid);
    if (environment === "" && isExecuting(pid)) unclear += 1;
    return `\0${environment ?? ""}\0`.includes(mark) ? [it] : [];
  });
  return { found, unclear };
}

/**
 * The shim and what serves it: its own children (the two sides of a round) and the log writer's program. They outlive SIGTERM by
 * construction; everything else in a worker is the user's.
 */
export function isMachinery(it: ProcessInfo, shim: number): boolean {
  return it.pid === shim || it.parent === shim || isLogWriter(it, shim);
}

/**
 * The process that reads the log's pipe: dd, or the program that masks secrets, which the shim's variable tells. A step
 * whose shell hands over to a dd of the user's (`exec dd`) stands at the same place under the same name; but that one
 * carries what the step script exports.
 */
export function isLogWriter(it: ProcessInfo, shim: number): boolean {
  if (readProcess(it.parent)?.parent !== shim) return false;
  const environment = `\0${readEnvironment(it.pid) ?? ""}`;
  const named = it.command === "dd" || environment.includes("\0SHIPINATOR_LOG_WRITER=");
  return named && !environment.includes("\0SHIPINATOR_EXECUTION_ID=");
}
