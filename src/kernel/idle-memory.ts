/**
 * Gives memory back after a burst of work. V8 keeps what a burst made it take, most of it room for new objects, for as
 * long as nothing more is made: a server that is quiet for weeks would weigh what its busiest minute weighed.
 */
import v8 from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "./clock.ts";
import type { Logger } from "./log.ts";
import { createLoop, type Loop } from "./loop.ts";
import { errorMessage } from "./problem.ts";

const lookMs = 15_000;
/** Of a look's time, what this thread may have been at work for the process to count as quiet. */
const quiet = 0.02;
/** What the heap must have grown by since it was last small: a collection takes about 100 ms. */
const worthBytes = 32 * 1024 * 1024;

/**
 * The room for new objects stays as small as it is now. V8 lets it grow to three times 16 MiB under load, and what waits
 * there to be collected has as much again outside of the heap, which malloc keeps for good: a server that had carried some
 * thousand runs weighed 20 MiB more ever after. To be called before much is loaded; it costs no measurable time.
 */
export function keepRoomSmall(): void {
  v8.setFlagsFromString("--semi-space-growth-factor=1");
}

export interface Heap {
  /** Bytes that V8 has taken for objects. */
  total(): number;
  /** Milliseconds that this thread has been at work since it began. */
  busyMs(): number;
  /** Frees everything that can be freed. */
  collect(): void;
}

export function createIdleMemory(clock: Clock, log: Logger, heap: Heap = createHeap()): Loop {
  let small = 0;
  let busyBefore = heap.busyMs();
  return createLoop({
    clock,
    everyMs: lookMs,
    async runOnce() {
      const busy = heap.busyMs() - busyBefore;
      busyBefore += busy;
      if (busy > lookMs * quiet || heap.total() - small < worthBytes) return;
      heap.collect();
      small = heap.total();
      busyBefore = heap.busyMs();
    },
    onError: (error) => log.error({ error: errorMessage(error) }, "memory could not be given back"),
  });
}

function createHeap(): Heap {
  v8.setFlagsFromString("--expose-gc");
  const collect: (how: unknown) => void = runInNewContext("gc");
  return {
    total: () => v8.getHeapStatistics().total_heap_size,
    busyMs: () => performance.eventLoopUtilization().active,
    // The plain kind makes the heap small, too, but keeps the pages.
    collect: () => collect({ type: "major", execution: "sync", flavor: "last-resort" }),
  };
}
