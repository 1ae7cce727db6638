/**
 * One pass per key at a time. A request during a pass makes exactly one more pass follow, however many ask; it resolves
 * when a pass that started after the request has ended. So 200 completions of one run take one connection, not 200.
 */
import { createBatches, type Start } from "./batches.ts";

export interface Coalescer<K, T = void> {
  request(key: K): Promise<T>;
  /** Resolves when no pass is under way or due: of these keys, or of all. How passes end is their requesters' matter. */
  idle(keys?: Iterable<K>): Promise<void>;
}

export function createCoalescer<K, T = void>(
  pass: (key: K) => Promise<T>,
  start: Start = "at_once",
): Coalescer<K, T> {
  const batches = createBatches<K, null, T>(
    async (key, items) => {
      const found = await pass(key);
      return items.map(() => found);
    },
    { start },
  );
  return { request: (key) => batches.request(key, null), idle: (keys) => batches.idle(keys) };
}
