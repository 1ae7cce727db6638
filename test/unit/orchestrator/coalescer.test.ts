import { describe, expect, it } from "vitest";
import { type ExecutionId, newId } from "../../../src/kernel/index.ts";
import { createCoalescer } from "../../../src/orchestrator/coalescer.ts";
import { createSlots } from "../../../src/orchestrator/slots.ts";

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
});

describe("slots", () => {
  it("are taken in order up to the limit and given back once", () => {
    const [a, b, c] = [newId<ExecutionId>(), newId<ExecutionId>(), newId<ExecutionId>()];
    const slots = createSlots(2);
    expect(slots.take([a, b, c])).toEqual([a, b]);
    expect(slots.take([c])).toEqual([]);
    slots.give(a);
    slots.give(a);
    expect(slots.free).toBe(1);
    expect(slots.take([c])).toEqual([c]);
  });
});
