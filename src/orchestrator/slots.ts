/**
 * How many executions this process carries at once. Holders are named, so that holding and giving twice is harmless. A
 * claim asks for slots before it knows for whom: it reserves them meanwhile.
 */
import type { ExecutionId } from "../kernel/index.ts";

export interface Slots {
  /** The first of `ids` that fit, in order; they hold their slots from now on. */
  take(ids: readonly ExecutionId[]): readonly ExecutionId[];
  /** One that runs already holds a slot, be there one or not: an adopted attempt is a fact. */
  hold(id: ExecutionId): void;
  give(id: ExecutionId): void;
  has(id: ExecutionId): boolean;
  /** Sets aside up to `count` free slots; gives how many. Each reservation is returned once. */
  reserve(count: number): number;
  unreserve(count: number): void;
  readonly free: number;
}

export function createSlots(total: number): Slots {
  const held = new Set<ExecutionId>();
  let reserved = 0;
  const free = () => Math.max(0, total - held.size - reserved);
  return {
    take(ids) {
      const fit = ids.slice(0, free());
      for (const id of fit) held.add(id);
      return fit;
    },
    hold: (id) => void held.add(id),
    give: (id) => void held.delete(id),
    has: (id) => held.has(id),
    reserve(count) {
      const given = Math.min(count, free());
      reserved += given;
      return given;
    },
    unreserve(count) {
      reserved -= count;
    },
    get free() {
      return free();
    },
  };
}
