/** A clock that a test moves. */
import type { Clock } from "../../../src/kernel/index.ts";

export interface SteeredClock extends Clock {
  /** Moves time on and wakes who has slept long enough. */
  advance(ms: number): void;
  /** How many sleep. */
  readonly sleepers: number;
}

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

export function createSteeredClock(start = Date.parse("2030-01-01T00:00:00Z")): SteeredClock {
  let now = start;
  const sleepers = new Set<Sleeper>();
  return {
    now: () => new Date(now),
    monotonic: () => now - start,
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      const sleeper: Sleeper = {
        until: now + ms,
        wake() {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake, { once: true });
      return promise;
    },
    advance(ms) {
      now += ms;
      for (const sleeper of [...sleepers]) if (sleeper.until <= now) sleeper.wake();
    },
    get sleepers() {
      return sleepers.size;
    },
  };
}
