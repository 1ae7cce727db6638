/**
 * The reconcile queue. It runs one reconcile per key at a time; keys that are enqueued meanwhile are marked dirty and
 * reconciled once more. A failed reconcile is repeated after `retryMs`.
 */
import { type Clock, createCoalescer, wakeReason } from "../../kernel/index.ts";

/** `again`: state that this reconcile did not read is ready. `{ afterMs }`: nothing announces what it waits for. */
export type ReconcileResult = "done" | "again" | { readonly afterMs: number };

export interface ReconcileQueue<K> {
  /** Resolves when a reconcile that began after this call has ended. Never rejects: a failure is reported and retried. */
  enqueue(key: K): Promise<void>;
  /** Enqueues the key later, unless that is scheduled already. */
  enqueueAfter(key: K, ms: number): void;
  /** Resolves when no reconcile of these keys, or of any key, is running or requested. */
  idle(keys?: Iterable<K>): Promise<void>;
}

export interface ReconcileQueueOptions<K> {
  readonly clock: Clock;
  readonly retryMs: number;
  readonly reconcile: (key: K) => Promise<ReconcileResult>;
  readonly onError: (key: K, error: unknown) => void;
  /** Ends the timers and the repetition. */
  readonly stopping: AbortSignal;
}

export function createReconcileQueue<K>(options: ReconcileQueueOptions<K>): ReconcileQueue<K> {
  const { clock, retryMs, stopping } = options;
  const scheduled = new Map<K, AbortController>();
  const reconciles = createCoalescer<K>(async (key) => {
    cancelTimer(key);
    try {
      let result = await options.reconcile(key);
      while (result === "again" && !stopping.aborted) result = await options.reconcile(key);
      if (typeof result === "object") enqueueAfter(key, result.afterMs);
    } catch (error) {
      options.onError(key, error);
      enqueueAfter(key, retryMs);
    }
  });

  const enqueue = (key: K) => reconciles.request(key);

  function enqueueAfter(key: K, ms: number): void {
    if (stopping.aborted || scheduled.has(key)) return;
    const canceled = new AbortController();
    scheduled.set(key, canceled);
    void clock.sleep(ms, canceled.signal).then(() => {
      if (canceled.signal.aborted) return;
      scheduled.delete(key);
      void enqueue(key);
    });
  }

  function cancelTimer(key: K): void {
    scheduled.get(key)?.abort(wakeReason);
    scheduled.delete(key);
  }

  stopping.addEventListener("abort", () => {
    for (const key of [...scheduled.keys()]) cancelTimer(key);
  });
  return { enqueue, enqueueAfter, idle: (keys) => reconciles.idle(keys) };
}
