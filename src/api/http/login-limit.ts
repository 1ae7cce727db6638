/**
 * A limit on guesses at tokens, by remote address. Only what failed counts, and a valid token is never locked out: who has
 * one is let in however often others behind the same address have failed. What it remembers is bounded: when too many
 * addresses are known, those that failed longest ago are forgotten.
 */
import type { Clock } from "../../kernel/index.ts";

export interface LoginLimit {
  /** Counts a failure. @returns seconds to wait before the next try, or null while there is no need */
  failed(address: string): number | null;
}

export interface LoginLimits {
  /** Failures at once that count as a person's or a program's mistake. */
  readonly atOnce: number;
  readonly perSecond: number;
}

/** Upper bound of the wait, in seconds. */
const maxWait = 60;
const maxKnown = 10_000;

interface Failures {
  readonly count: number;
  /** On the monotonic clock, in milliseconds. */
  readonly at: number;
}

export function createLoginLimit(
  clock: Pick<Clock, "monotonic">,
  { atOnce, perSecond }: LoginLimits,
): LoginLimit {
  const known = new Map<string, Failures>();
  return {
    failed(address) {
      const now = clock.monotonic();
      const last = known.get(address);
      const left = last === undefined ? 0 : Math.max(0, last.count - ((now - last.at) / 1000) * perSecond);
      const count = Math.min(left + 1, atOnce + maxWait * perSecond);
      // Put last again, so that the first is the one that failed longest ago.
      known.delete(address);
      known.set(address, { count, at: now });
      const [oldest] = known.keys();
      if (known.size > maxKnown && oldest !== undefined) known.delete(oldest);
      return count > atOnce ? Math.ceil((count - atOnce) / perSecond) : null;
    },
  };
}
