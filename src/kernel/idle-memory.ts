/**
 * Returns memory to the system after a burst of work. V8 keeps the memory that a burst needed, most of it for new objects,
 * until more objects are created. Without this, a server that idles for weeks uses as much memory as in its busiest minute.
 */
import v8 from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "./clock.ts";
import type { Logger } from "./log.ts";
import { createLoop, type Loop } from "./loop.ts";
import { errorMessage } from "./problem.ts";

const checkMs = 15_000;
/** The share of the check interval that this thread may be busy in an idle process. */
const maxBusyShare = 0.02;
/** Minimum growth of the heap since the last collection, because a collection takes about 100 ms. */
const minGrowthBytes = 32 * 1024 * 1024;

/**
 * Keeps V8's space for new objects at its initial size. Under load V8 grows it to three times 16 MiB, and the garbage in
 * it holds as much memory again outside of the heap, which malloc never returns: after some thousand runs a server used
 * 20 MiB more. Call this before much is loaded. It costs no measurable time.
 */
export function limitNewSpace(): void {
  v8.setFlagsFromString("--semi-space-growth-factor=1");
}

export interface Heap {
  /** Bytes that V8 has allocated for objects. */
  total(): number;
  /** Milliseconds that this thread has been busy since it began. */
  busyMs(): number;
  /** Runs a full garbage collection. */
  collect(): void;
}

export function createIdleMemory(clock: Clock, log: Logger, heap: Heap = createHeap()): Loop {
  let small = 0;
  let busyBefore = heap.busyMs();
  return createLoop({
    clock,
    everyMs: checkMs,
    async runOnce() {
      const busy = heap.busyMs() - busyBefore;
      busyBefore += busy;
      if (busy > checkMs * maxBusyShare || heap.total() - small < minGrowthBytes) return;
      heap.collect();
      small = heap.total();
      busyBefore = heap.busyMs();
    },
    onError: (error) => log.error({ error: errorMessage(error) }, "idle memory was not collected"),
  });
}

function createHeap(): Heap {
  v8.setFlagsFromString("--expose-gc");
  const collect: (options: unknown) => void = runInNewContext("gc");
  return {
    total: () => v8.getHeapStatistics().total_heap_size,
    busyMs: () => performance.eventLoopUtilization().active,
    // A plain collection also shrinks the heap, but keeps the pages.
    collect: () => collect({ type: "major", execution: "sync", flavor: "last-resort" }),
  };
}
