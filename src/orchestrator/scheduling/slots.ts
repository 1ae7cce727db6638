/**
 * Slots limit how many executions this process runs at the same time. Each is occupied under its execution's id, so
 * occupying and releasing twice is harmless. A claim does not know its executions yet: it reserves slots meanwhile.
 */
import type { ExecutionId } from "../../kernel/index.ts";

export interface Slots {
  /** Occupies slots for as many of `ids` as fit, in order, and returns those. */
  acquire(ids: readonly ExecutionId[]): readonly ExecutionId[];
  /** Occupies a slot for an execution that is already running, even above the limit. */
  occupy(id: ExecutionId): void;
  release(id: ExecutionId): void;
  has(id: ExecutionId): boolean;
  /** Reserves up to `count` free slots and returns how many. Each reservation is returned once. */
  reserve(count: number): number;
  unreserve(count: number): void;
  readonly free: number;
}

export function createSlots(total: number): Slots {
  const occupied = new Set<ExecutionId>();
  let reserved = 0;
  const free = () => Math.max(0, total - occupied.size - reserved);
  return {
    acquire(ids) {
      const fit = ids.slice(0, free());
      for (const id of fit) occupied.add(id);
      return fit;
    },
    occupy: (id) => void occupied.add(id),
    release: (id) => void occupied.delete(id),
    has: (id) => occupied.has(id),
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
