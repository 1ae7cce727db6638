/** Time as an input. `now` is for people and files; `monotonic` for durations; SQL takes its time from the database. */

export interface Clock {
  /** Wall-clock time. */
  now(): Date;
  /** Milliseconds from an arbitrary origin; never goes back. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal aborts (it does not reject). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * The reason to give to an abort that only ends a sleep: without one each makes an exception with its stack, which a busy
 * server did ten times a run.
 */
export const slept = Symbol("slept long enough");

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
