/**
 * Turns for work that must not be begun all at once. Work that takes long, say because it waits for a network, steps
 * aside after a while and gives its turn away, so that a few that hang do not hold up the rest; only so many may.
 */
import { type Clock, wakeReason } from "../kernel/index.ts";

export interface TurnsOptions {
  readonly clock: Clock;
  readonly atOnce: number;
  /** After so long it steps aside … */
  readonly slowMs: number;
  /** … when there are fewer than so many aside. */
  readonly aside: number;
}

export interface Turns {
  /** Does the work when its turn comes; who asked first goes first. */
  take(work: () => Promise<void>): Promise<void>;
}

export function createTurns({ clock, atOnce, slowMs, aside }: TurnsOptions): Turns {
  const waiting: (() => void)[] = [];
  let busy = 0;
  let slow = 0;

  async function turn(): Promise<void> {
    if (busy < atOnce) {
      busy += 1;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    await promise;
  }

  /** Hands the turn on, or gives it back. */
  function pass(): void {
    const next = waiting.shift();
    if (next === undefined) busy -= 1;
    else next();
  }

  return {
    async take(work) {
      await turn();
      const over = new AbortController();
      let isAside = false;
      void clock.sleep(slowMs, over.signal).then(() => {
        if (over.signal.aborted || slow >= aside) return;
        isAside = true;
        slow += 1;
        pass();
      });
      try {
        await work();
      } finally {
        over.abort(wakeReason);
        if (isAside) slow -= 1;
        else pass();
      }
    },
  };
}
