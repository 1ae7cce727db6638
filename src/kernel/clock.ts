/** Time as an input. `now` is for people and files, `monotonic` for durations. SQL takes its time from the database. */

export interface Clock {
  /** Wall-clock time. */
  now(): Date;
  /** Milliseconds from an arbitrary origin. The value never decreases. */
  monotonic(): number;
  /** Resolves after `ms`, or immediately when the signal aborts. It never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Reason for an abort that only ends a sleep. Without a reason, each abort creates an exception with a stack, which a busy
 * server did ten times a run.
 */
export const wakeReason = Symbol("woken");

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener("abort", end, { once: true });
    });
  },
};
