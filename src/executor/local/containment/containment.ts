/** The kill containment: which strategy a worker gets, how its processes are listed, ended, and proven to be gone. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  assertNever,
  type Clock,
  errorCode,
  Problem,
  type ProcessInfo,
  readProcess,
} from "../../../kernel/index.ts";
import type { KillStrategy } from "../options.ts";
import {
  canMakeGroup,
  groupPids,
  groupsBelow,
  type Hierarchies,
  readGroupFile,
  removeGroup,
} from "./hierarchy.ts";
import { scanSession, sessionProcesses } from "./session.ts";

/** Groups that contain a worker; part of `worker.json`. */
export interface WorkerScope {
  readonly strategy: KillStrategy;
  /** The worker's group for `cgroup` and `freezer`. */
  readonly group: string | null;
  /** Its memory group, only to see what the out-of-memory killer did. */
  readonly memory: string | null;
}

/** The worker's processes are those of its group, else those of the shim's session or with the worker's mark. */
export interface WorkerIdentity {
  /** Follows `SHIPINATOR_WORKER=` in the environment of what the worker started; ends with NUL where it is the whole value. */
  readonly mark: string;
  readonly shim: { readonly pid: number; readonly start: string } | null;
}

export interface Containment {
  readonly strategy: KillStrategy;
  readonly parent: string | null;
  readonly memory: string | null;
}

export type SignalName = "SIGTERM" | "SIGKILL" | "SIGUSR1";
export type Signal = (pid: number, signal: SignalName) => void;

/** The surest strategy that is wanted and works here. */
export function chooseContainment(wanted: readonly KillStrategy[], found: Hierarchies): Containment {
  const memory = canMakeGroup(found.memory, ["cgroup.procs"]) ? found.memory : null;
  for (const strategy of wanted) {
    if (strategy === "cgroup" && canMakeGroup(found.unified, ["cgroup.procs", "cgroup.kill"])) {
      return { strategy, parent: found.unified, memory };
    }
    if (strategy === "freezer" && canMakeGroup(found.freezer, ["cgroup.procs", "freezer.state"])) {
      return { strategy, parent: found.freezer, memory };
    }
    if (strategy === "session") return { strategy, parent: null, memory };
  }
  throw new Problem(
    "environment",
    `None of the ways to end processes works on this machine: ${wanted.join(", ")}.`,
    {
      remedy: "Allow the strategy session, or give the server a writable control group.",
    },
  );
}

/**
 * Makes the worker's groups. `name` is unique on this machine. Beside the thread: while a process joins a group, the kernel
 * lets whoever makes another one wait, 15 to 20 ms.
 */
export async function makeScope(
  containment: Containment,
  name: string,
  memoryLimitBytes: number | undefined,
): Promise<WorkerScope> {
  const make = async (parent: string | null) => {
    if (parent === null) return null;
    const group = join(parent, `shipinator-${name}`);
    await mkdir(group, { recursive: true });
    return group;
  };
  const [group, memory] = await Promise.all([make(containment.parent), make(containment.memory)]);
  if (memoryLimitBytes !== undefined) {
    if (memory !== null) await writeFile(join(memory, "memory.limit_in_bytes"), String(memoryLimitBytes));
    else if (group !== null && existsSync(join(group, "memory.max")))
      await writeFile(join(group, "memory.max"), String(memoryLimitBytes));
  }
  return { strategy: containment.strategy, group, memory };
}

/** Every live process of the worker; zombies are none. */
export function workerProcesses(scope: WorkerScope, worker: WorkerIdentity): ProcessInfo[] {
  if (scope.group === null) return sessionProcesses(worker);
  return groupPids(scope.group).flatMap((pid) => {
    const it = readProcess(pid);
    return it === null || it.zombie ? [] : [it];
  });
}

/** Ends every process of the worker and returns when that is proven. @throws Problem executor_failed when it cannot be. */
export async function endWorker(
  scope: WorkerScope,
  worker: WorkerIdentity,
  deps: { readonly clock: Clock; readonly kill: Signal },
): Promise<void> {
  const until = deps.clock.monotonic() + 60_000;
  const clearBy = deps.clock.monotonic() + unclearMs;
  const struckBefore: ProcessInfo[] = [];
  const kill: Signal = (pid, signal) => {
    const it = readProcess(pid);
    if (it !== null) struckBefore.push(it);
    deps.kill(pid, signal);
  };
  let quiet = 0;
  for (let wait = 1; ; wait = Math.min(wait * 2, 100)) {
    const blow = { kill, doubts: deps.clock.monotonic() < clearBy };
    const struck = strike(scope, worker, blow);
    // A shim that nobody heard may wait at its FIFOs, where it has not joined its group yet: only its mark finds it.
    const strays = worker.shim === null && scope.strategy !== "session" && strikeMarked(worker, blow);
    // A process that dies shows no environment before it is a zombie: a scan no longer finds it, though it is still there.
    if (struck || strays || struckBefore.some(isStillThere)) quiet = 0;
    else quiet++;
    // A group's emptiness is proof; a scan of /proc can miss a process that forks while it is read, so it counts twice.
    if (quiet >= (scope.strategy === "session" ? 2 : 1)) break;
    if (deps.clock.monotonic() > until) {
      throw new Problem(
        "executor_failed",
        `processes do not die: ${workerProcesses(scope, worker)
          .map((it) => `${it.pid} (${it.command})`)
          .join(", ")}`,
        {
          remedy:
            "They hang in the kernel (a dead network disk, a broken device); free that, then ask again.",
        },
      );
    }
    if (quiet === 0) await deps.clock.sleep(wait);
  }
  for (const group of [scope.group, scope.memory]) {
    while (group !== null && !(await removeGroup(group))) await deps.clock.sleep(1);
  }
}

function isStillThere({ pid, start }: ProcessInfo): boolean {
  const now = readProcess(pid);
  return now !== null && now.start === start && !now.zombie;
}

interface Blow {
  readonly kill: Signal;
  /** Counts a process of which nothing is known yet as one of the worker's. */
  readonly doubts: boolean;
}

/** Time that a process may take to become another program. */
const unclearMs = 2_000;

/** One blow. @returns whether anything was still alive. */
function strike(scope: WorkerScope, worker: WorkerIdentity, blow: Blow): boolean {
  const { group, strategy } = scope;
  switch (strategy) {
    case "cgroup": {
      if (group === null || !isPopulated(group)) return false;
      writeFileSync(join(group, "cgroup.kill"), "1");
      return true;
    }
    case "freezer": {
      if (group === null || groupPids(group).length === 0) return false;
      for (const below of groupsBelow(group)) writeFileSync(join(below, "freezer.state"), "FROZEN");
      signalEach(workerProcesses(scope, worker), "SIGKILL", blow.kill);
      for (const below of groupsBelow(group)) writeFileSync(join(below, "freezer.state"), "THAWED");
      return true;
    }
    case "session":
      return strikeMarked(worker, blow);
    default:
      return assertNever(strategy, "strategy");
  }
}

/** Kills by the mark. A process that is becoming another program shows no mark, so the scan is repeated. */
function strikeMarked(worker: WorkerIdentity, { kill, doubts }: Blow): boolean {
  const { found, unclear } = scanSession(worker);
  signalEach(found, "SIGKILL", kill);
  return found.length > 0 || (doubts && unclear > 0);
}

const isPopulated = (group: string) =>
  /^populated 1$/m.test(readGroupFile(join(group, "cgroup.events")) ?? "");

/** Signals those processes that are still the ones that were listed; one may end between the look and the signal. */
export function signalEach(listed: readonly ProcessInfo[], signal: SignalName, kill: Signal): void {
  for (const it of listed) {
    if (readProcess(it.pid)?.start !== it.start) continue;
    try {
      kill(it.pid, signal);
    } catch (error) {
      if (errorCode(error) !== "ESRCH") throw error;
    }
  }
}

/** Number of kills by the out-of-memory killer in the worker. */
export function oomKills(scope: WorkerScope): number {
  const text =
    scope.memory !== null
      ? readGroupFile(join(scope.memory, "memory.oom_control"))
      : scope.group !== null && scope.strategy === "cgroup"
        ? readGroupFile(join(scope.group, "memory.events"))
        : null;
  return Number(/^oom_kill (\d+)$/m.exec(text ?? "")?.[1] ?? 0);
}

/** The groups of a job's workers, found by name: for a job whose own records vanished. */
export function strayGroups(containment: Containment, job: string): readonly string[] {
  return [containment.parent, containment.memory].flatMap((parent) =>
    parent === null
      ? []
      : readdirSync(parent).flatMap((name) =>
          name.startsWith(`shipinator-${job}-`) ? [join(parent, name)] : [],
        ),
  );
}
