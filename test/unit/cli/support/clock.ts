import type { Clock } from "../../../../src/kernel/index.ts";

export interface ManualClock extends Clock {
  /** Moves time on, wakes who has slept long enough, and lets everything that follows happen. */
  advance(ms: number): Promise<void>;
}

const START = Date.parse("2026-03-01T12:00:00.000Z");

/** Lets promises and their consequences run until nothing is left that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export function createManualClock(): ManualClock {
  let time = 0;
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  return {
    now: () => new Date(START + time),
    monotonic: () => time,
    sleep(ms, signal) {
      if (signal?.aborted || ms <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const sleeper = {
          until: time + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", sleeper.wake, { once: true });
      });
    },
    async advance(ms) {
      const end = time + ms;
      await settle();
      for (;;) {
        const next = [...sleepers].filter(({ until }) => until <= end).sort((a, b) => a.until - b.until)[0];
        if (next === undefined) break;
        time = next.until;
        next.wake();
        await settle();
      }
      time = end;
      await settle();
    },
  };
}
