import { expect, it } from "vitest";
import { createIdleMemory, silentLogger } from "../../../src/kernel/index.ts";
import { steeredClock } from "./support/steered-clock.ts";

const mib = 1024 * 1024;

it("is given back when a burst is over, and not again until there is some to give", async () => {
  const { clock, tick, sleeping } = steeredClock();
  const heap = { mib: 200, busy: 0, collected: 0 };
  await using memory = createIdleMemory(clock, silentLogger, {
    total: () => heap.mib * mib,
    busyMs: () => heap.busy,
    collect() {
      heap.collected++;
      heap.mib = 40;
      // It is at work itself meanwhile.
      heap.busy += 1_000;
    },
  });
  let asleep = sleeping();
  memory.start();
  const look = async (since: { readonly busyMs: number; readonly mib?: number }) => {
    await asleep;
    heap.busy += since.busyMs;
    heap.mib = since.mib ?? heap.mib;
    asleep = sleeping();
    tick();
    await asleep;
    asleep = Promise.resolve();
    return heap.collected;
  };
  expect(await look({ busyMs: 5_000 })).toBe(0);
  expect(await look({ busyMs: 301 })).toBe(0);
  expect(await look({ busyMs: 299 })).toBe(1);
  expect(await look({ busyMs: 0 })).toBe(1);
  expect(await look({ busyMs: 0, mib: 71 })).toBe(1);
  expect(await look({ busyMs: 400, mib: 90 })).toBe(1);
  expect(await look({ busyMs: 100 })).toBe(2);
  expect(heap.mib).toBe(40);
});
