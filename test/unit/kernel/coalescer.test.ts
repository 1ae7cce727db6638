import { describe, expect, it } from "vitest";
import { createCoalescer } from "../../../src/kernel/index.ts";

describe("a coalescer", () => {
  it("makes two passes of 200 requests that come during the first", async () => {
    const gates: PromiseWithResolvers<void>[] = [];
    const coalescer = createCoalescer<string>(async () => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
    });
    const first = coalescer.request("run");
    const rest = Array.from({ length: 200 }, () => coalescer.request("run"));
    expect(gates).toHaveLength(1);
    gates[0]?.resolve();
    await first;
    await Promise.resolve();
    expect(gates).toHaveLength(2);
    gates[1]?.resolve();
    await Promise.all(rest);
    expect(gates).toHaveLength(2);
  });

  it("lets a pass that is asked for by a pass follow it, even when it asks before it has waited for anything", async () => {
    const seen: string[] = [];
    let passes = 0;
    const coalescer = createCoalescer<string>(async (key) => {
      const number = ++passes;
      seen.push(`${number} begins`);
      if (number === 1) void coalescer.request(key);
      for (let turns = 0; turns < 10; turns++) await Promise.resolve();
      seen.push(`${number} ends`);
    });
    await coalescer.request("run");
    await coalescer.idle();
    expect(seen).toEqual(["1 begins", "1 ends", "2 begins", "2 ends"]);
  });

  it("keeps keys apart", async () => {
    const seen: string[] = [];
    const coalescer = createCoalescer<string>(async (key) => {
      seen.push(key);
    });
    await Promise.all([coalescer.request("a"), coalescer.request("b"), coalescer.request("a")]);
    expect(seen.toSorted()).toEqual(["a", "a", "b"]);
  });

  it("tells what a pass found that began after the request", async () => {
    let found = 0;
    const coalescer = createCoalescer<string, number>(async () => ++found);
    const answers = [coalescer.request("a"), coalescer.request("a"), coalescer.request("a")];
    expect(await Promise.all(answers)).toEqual([1, 2, 2]);
  });

  it("tells its own requester of a failed pass, and goes on", async () => {
    let passes = 0;
    const coalescer = createCoalescer<string>(async () => {
      passes += 1;
      if (passes === 1) throw new Error("boom");
    });
    const first = coalescer.request("a");
    const second = coalescer.request("a");
    await expect(first).rejects.toThrow("boom");
    await second;
    await coalescer.request("a");
    expect(passes).toBe(3);
    await coalescer.idle();
  });

  it("is idle for some keys while others are busy", async () => {
    const gate = Promise.withResolvers<void>();
    const coalescer = createCoalescer<string>((key) => (key === "busy" ? gate.promise : Promise.resolve()));
    const busy = coalescer.request("busy");
    void coalescer.request("other");
    await coalescer.idle(["other", "unknown"]);
    let idle = false;
    const all = coalescer.idle().then(() => {
      idle = true;
    });
    await Promise.resolve();
    expect(idle).toBe(false);
    gate.resolve();
    await Promise.all([busy, all]);
  });
});
