/**
 * Lanes in reserve. To join a control group a process waits for the kernel, 15 to 20 ms where nobody else has just done so,
 * and a shim has to be started before. So a server keeps a few shims that have joined groups of their own and wait; a job
 * that opens takes one, with its directory.
 *
 * A spare is in `spares/<id>` until then. Its shim ends by itself when the server dies, as an idle lane's does; what is left
 * then, an empty group and a directory, is removed by whoever sweeps next.
 */
import { closeSync, constants, existsSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage } from "../../kernel/index.ts";
import { type Lane, type LaneEvent, type LaneParts, laneRecord, startLane } from "./lane.ts";
import { makeHome, sparesHome } from "./layout.ts";
import { removeGroup } from "./rungs/hierarchy.ts";
import { endLane, type LaneScope, makeScope } from "./rungs/ladder.ts";

export interface Spares {
  /** Brings the reserve to its size, beside everything else. */
  fill(): void;
  /**
   * The same when fewer than half of it are left. Until a process has joined its group the kernel lets nobody fork, so a
   * lane is not made while a job opens, whose own step would wait for it, and several are made at once, which wait
   * together.
   */
  refill(): void;
  /**
   * One that is ready, moved to `directory`; null: there is none that could be, and one has to be started.
   * @param note told what is about to be moved there, so that it is written down before
   */
  take(directory: string, note: (scope: LaneScope) => void): Lane | null;
  /** Removes what servers that were killed left of theirs. */
  sweep(): Promise<void>;
  /** Ends those that nobody took. */
  close(): Promise<void>;
}

interface SparesDeps extends LaneParts {
  readonly onEvent: (event: LaneEvent) => void;
  /** Tells groups of this directory from those of another one on the same machine. */
  readonly place: string;
}

/** A spare that is being made has no sign of life yet; none takes as long. */
const makingMs = 60_000;

export function createSpares(deps: SparesDeps): Spares {
  const { options, machine, helper } = deps;
  const home = sparesHome(options.directory);
  const wanted = options.spares ?? 0;
  const ready: Lane[] = [];
  const making = new Set<Promise<void>>();
  const ending = new Set<Promise<void>>();
  let closed = false;

  async function make(): Promise<void> {
    const id = crypto.randomUUID().slice(0, 13);
    const directory = join(home, id);
    let scope: LaneScope | null = null;
    try {
      makeHome(options.directory);
      scope = await makeScope(deps.ladder(), `spare-${deps.place}-${id}`, options.memoryLimitBytes);
      const lane = await startLane(directory, scope, { machine, helper, onEvent: deps.onEvent });
      if (closed) await discard(lane);
      else ready.push(lane);
    } catch (error) {
      // A job that opens meanwhile starts a lane of its own, and tells what is wrong where it cannot.
      options.log.warn({ error: errorMessage(error) }, "a lane in reserve could not be made");
      if (scope !== null) await removeRemains(directory, scope);
    }
  }

  async function discard(lane: Lane): Promise<void> {
    const { directory, record } = lane;
    try {
      lane.detach();
      await endLane(record.scope, lane.identity(), options);
      rmSync(directory, { recursive: true, force: true });
    } catch (error) {
      options.log.warn(
        { place: directory, error: errorMessage(error) },
        "a lane in reserve stays for the next sweep",
      );
    }
  }

  async function removeRemains(directory: string, scope: LaneScope): Promise<void> {
    const groups = [scope.group, scope.memory].flatMap((group) => group ?? []);
    const removed = await Promise.all(groups.map(removeGroup));
    if (removed.every(Boolean)) rmSync(directory, { recursive: true, force: true });
  }

  function keep(set: Set<Promise<void>>, work: Promise<void>): void {
    const kept = work.finally(() => set.delete(kept));
    set.add(kept);
  }

  const spares: Spares = {
    fill() {
      while (!closed && ready.length + making.size < wanted) keep(making, make());
    },
    refill() {
      if (ready.length + making.size < wanted / 2) spares.fill();
    },
    take(directory, note) {
      let taken: Lane | null = null;
      for (let lane = ready.shift(); lane !== undefined && taken === null; ) {
        if (lane.alive && moved(lane, directory, note)) taken = lane;
        else {
          keep(ending, discard(lane));
          lane = ready.shift();
        }
      }
      return taken;
    },
    async sweep() {
      const own = new Set(ready.map(({ directory }) => directory));
      for (const name of existsSync(home) ? readdirSync(home) : []) {
        const directory = join(home, name);
        if (own.has(directory) || isLivingOrNew(directory, options.clock.now().getTime())) continue;
        const record = laneRecord(directory);
        // Groups do not outlive the machine's restart.
        if (record === null || record.bootId !== machine.bootId)
          rmSync(directory, { recursive: true, force: true });
        else await removeRemains(directory, record.scope);
      }
    },
    async close() {
      closed = true;
      await Promise.all(making);
      for (const lane of ready.splice(0)) keep(ending, discard(lane));
      await Promise.all(ending);
    },
  };
  return spares;
}

/** False where a directory is gone, which steps under our account can bring about. */
function moved(lane: Lane, directory: string, note: (scope: LaneScope) => void): boolean {
  try {
    note(lane.record.scope);
    lane.moveTo(directory);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Its shim is there, or may yet come; or somebody else has just removed or taken it. */
function isLivingOrNew(directory: string, now: number): boolean {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined || now - found.mtimeMs < makingMs) return true;
  try {
    closeSync(openSync(`${directory}/live`, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (errorCode(error) === "ENXIO" || errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
