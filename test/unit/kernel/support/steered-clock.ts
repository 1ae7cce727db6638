import type { Clock } from "../../../../src/kernel/index.ts";

/** A clock whose naps end when the test says so, or by abort. */
export function steeredClock() {
  const naps: (() => void)[] = [];
  const asleep: (() => void)[] = [];
  const clock: Clock = {
    now: () => new Date(0),
    monotonic: () => 0,
    sleep: (_ms, signal) =>
      new Promise((resolve) => {
        naps.push(resolve);
        signal?.addEventListener("abort", () => resolve(), { once: true });
        asleep.shift()?.();
      }),
  };
  return {
    clock,
    tick: () => naps.shift()?.(),
    sleeping: () => new Promise<void>((resolve) => asleep.push(resolve)),
  };
}
