/** The runs that this process reconciles. A cache: `owner_id` in the database says the same. */
import type { PlanMode } from "../../domain/index.ts";
import type { ExecutionId, RunId } from "../../kernel/index.ts";
import type { RunPosition } from "../../store/index.ts";

export interface TrackedRun {
  readonly id: RunId;
  /** `own` never becomes `observe`. */
  mode: PlanMode;
  /** Executions of the run that are attempts of this process or wait in its queue. */
  readonly executions: Set<ExecutionId>;
  /** Highest seq that this process has read or written. */
  seq: number;
}

export interface TrackedRuns {
  get(id: RunId): TrackedRun | undefined;
  /** Tracks the run from now on. */
  track(id: RunId, mode: PlanMode, claimed?: readonly ExecutionId[]): TrackedRun;
  delete(id: RunId): void;
  readonly size: number;
  /**
   * The tracked runs to reconcile, by their positions in the database: those that others have moved, and those with a
   * claimed execution, which may come from a claim whose reply was lost.
   */
  runnable(positions: readonly RunPosition[]): readonly RunId[];
}

export function createTrackedRuns(): TrackedRuns {
  const runs = new Map<RunId, TrackedRun>();
  return {
    get: (id) => runs.get(id),
    track(id, mode, claimed = []) {
      const run = runs.get(id) ?? { id, mode, executions: new Set(), seq: 0 };
      runs.set(id, run);
      if (mode === "own") run.mode = mode;
      for (const execution of claimed) run.executions.add(execution);
      return run;
    },
    delete: (id) => void runs.delete(id),
    get size() {
      return runs.size;
    },
    runnable(positions) {
      const byId = new Map(positions.map((position) => [position.id, position]));
      return [...runs.values()].flatMap(({ id, seq }) => {
        const position = byId.get(id);
        return position?.seq === seq && !position.claimed ? [] : [id];
      });
    },
  };
}
