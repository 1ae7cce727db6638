/** How many executions this process carries at once. Holders are named, so that taking and giving twice is harmless. */
import type { ExecutionId } from "../kernel/index.ts";

export interface Slots {
  /** The first of `ids` that fit, in order; they hold their slots from now on. */
  take(ids: readonly ExecutionId[]): readonly ExecutionId[];
  give(id: ExecutionId): void;
  readonly free: number;
}

export function createSlots(total: number): Slots {
  const held = new Set<ExecutionId>();
  return {
    take(ids) {
      const fit = ids.slice(0, Math.max(0, total - held.size));
      for (const id of fit) held.add(id);
      return fit;
    },
    give(id) {
      held.delete(id);
    },
    get free() {
      return Math.max(0, total - held.size);
    },
  };
}
