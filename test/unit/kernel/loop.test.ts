import { describe, expect, it } from "vitest";
import { createLoop } from "../../../src/kernel/index.ts";
import { steeredClock } from "./support/steered-clock.ts";

describe("a loop", () => {
  it("passes on each tick and sleeps between", async () => {
    const { clock, tick, sleeping } = steeredClock();
    let passes = 0;
    let asleep = sleeping();
    await using loop = createLoop({
      clock,
      everyMs: 1,
      onError: fail,
      runOnce: async () => {
        passes += 1;
      },
    });
    loop.start();
    await asleep;
    expect(passes).toBe(0);
    asleep = sleeping();
    tick();
    await asleep;
    expect(passes).toBe(1);
  });

  it("makes one more pass for any number of wakes during a pass", async () => {
    const { clock, sleeping } = steeredClock();
    let passes = 0;
    const asleep = sleeping();
    await using loop = createLoop({
      clock,
      everyMs: 1,
      onError: fail,
      async runOnce() {
        passes += 1;
        if (passes > 1) return;
        loop.wake();
        loop.wake();
        loop.wake();
      },
    });
    loop.wake();
    loop.start();
    await asleep;
    expect(passes).toBe(2);
  });

  it("goes on after an error, which it reports", async () => {
    const { clock, sleeping } = steeredClock();
    const errors: unknown[] = [];
    const asleep = sleeping();
    await using loop = createLoop({
      clock,
      everyMs: 1,
      onError: (error) => errors.push(error),
      async runOnce() {
        if (errors.length > 0) return;
        loop.wake();
        throw new Error("boom");
      },
    });
    loop.wake();
    loop.start();
    await asleep;
    expect(errors).toMatchObject([{ message: "boom" }]);
  });

  it("waits for the pass under way when it is stopped, twice as once, and says nothing of an aborted pass", async () => {
    const { clock } = steeredClock();
    const entered = Promise.withResolvers<void>();
    let left = false;
    const loop = createLoop({
      clock,
      everyMs: 1,
      onError: fail,
      async runOnce(signal) {
        entered.resolve();
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true }),
        );
        left = true;
        throw new Error("aborted");
      },
    });
    loop.wake();
    loop.start();
    await entered.promise;
    await Promise.all([loop.stop(), loop.stop()]);
    expect(left).toBe(true);
  });
});

function fail(error: unknown): never {
  throw error;
}
