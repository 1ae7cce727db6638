import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createConcurrencyLimiter } from "../../../src/orchestrator/scheduling/concurrency-limiter.ts";
import { createSteeredClock } from "../../pg/orchestrator/clock.ts";

function setUp() {
  const clock = createSteeredClock();
  const limiter = createConcurrencyLimiter({ clock, max: 2, slowMs: 100, maxSlow: 1 });
  const begun: number[] = [];
  const works = new Map<number, PromiseWithResolvers<void>>();
  const done: Promise<void>[] = [];
  function ask(name: number): void {
    const work = Promise.withResolvers<void>();
    works.set(name, work);
    done.push(
      limiter
        .run(() => {
          begun.push(name);
          return work.promise;
        })
        .catch(() => undefined),
    );
  }
  return {
    clock,
    begun,
    ask,
    async end(name: number, how: "well" | "badly" = "well") {
      const work = works.get(name);
      if (how === "well") work?.resolve();
      else work?.reject(new Error("it failed"));
      await turn();
    },
    all: () => Promise.all(done),
  };
}

describe("a concurrency limiter", () => {
  it("runs as much at once as it may, in the order of the calls", async () => {
    const { begun, ask, end } = setUp();
    for (const name of [1, 2, 3, 4]) ask(name);
    await turn();
    expect(begun).toEqual([1, 2]);
    await end(2);
    expect(begun).toEqual([1, 2, 3]);
    await end(1, "badly");
    expect(begun).toEqual([1, 2, 3, 4]);
  });

  it("stops counting slow work, as long as little is slow", async () => {
    const { clock, begun, ask, end } = setUp();
    for (const name of [1, 2, 3, 4, 5]) ask(name);
    await turn();
    clock.advance(100);
    await turn();
    expect(begun).toEqual([1, 2, 3]);
    clock.advance(1_000);
    await turn();
    expect(begun).toEqual([1, 2, 3]);
    await end(1);
    expect(begun).toEqual([1, 2, 3]);
    await end(2);
    expect(begun).toEqual([1, 2, 3, 4]);
  });

  it("counts right afterwards", async () => {
    const { clock, begun, ask, end, all } = setUp();
    for (const name of [1, 2, 3]) ask(name);
    await turn();
    clock.advance(100);
    for (const name of [1, 2, 3]) await end(name);
    await all();
    for (const name of [4, 5, 6]) ask(name);
    await turn();
    expect(begun.slice(3)).toEqual([4, 5]);
    expect(clock.sleepers).toBe(2);
  });
});
