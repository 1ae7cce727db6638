/**
 * Limits how much work runs at the same time. Work that is slow, for example because it waits for a network, stops
 * counting after a while, so that a few hanging pieces do not hold up the rest. The number of such pieces is limited too.
 */
import { type Clock, wakeReason } from "../../kernel/index.ts";

export interface ConcurrencyLimiterOptions {
  readonly clock: Clock;
  readonly max: number;
  /** Milliseconds after which work counts as slow. */
  readonly slowMs: number;
  /** Maximum number of slow pieces that do not count. */
  readonly maxSlow: number;
}

export interface ConcurrencyLimiter {
  /** Runs the work when the limit allows it, in the order of the calls. */
  run(work: () => Promise<void>): Promise<void>;
}

export function createConcurrencyLimiter(options: ConcurrencyLimiterOptions): ConcurrencyLimiter {
  const { clock, max, slowMs, maxSlow } = options;
  const waiting: (() => void)[] = [];
  let running = 0;
  let slow = 0;

  async function acquire(): Promise<void> {
    if (running < max) {
      running += 1;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    await promise;
  }

  function release(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return {
    async run(work) {
      await acquire();
      const over = new AbortController();
      let isSlow = false;
      void clock.sleep(slowMs, over.signal).then(() => {
        if (over.signal.aborted || slow >= maxSlow) return;
        isSlow = true;
        slow += 1;
        release();
      });
      try {
        await work();
      } finally {
        over.abort(wakeReason);
        if (isSlow) slow -= 1;
        else release();
      }
    },
  };
}
