import { describe, expect, it } from "vitest";
import { type BatchesOptions, createBatches } from "../../../src/kernel/batches.ts";

/** Passes that end when they are told to, and what each was given. */
function gated(options: BatchesOptions = {}) {
  const passes: { readonly items: readonly number[]; readonly gate: PromiseWithResolvers<void> }[] = [];
  const batches = createBatches<string, number, number>(async (_key, items) => {
    const gate = Promise.withResolvers<void>();
    passes.push({ items, gate });
    await gate.promise;
    return items.map((item) => item * 10);
  }, options);
  return { batches, passes };
}

describe("batches", () => {
  it("carry out alone what finds nothing under way, and together what came meanwhile", async () => {
    const { batches, passes } = gated();
    const answers = [1, 2, 3].map((item) => batches.request("a", item));
    expect(passes.map(({ items }) => items)).toEqual([[1]]);
    passes[0]?.gate.resolve();
    expect(await answers[0]).toBe(10);
    await expect.poll(() => passes.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    passes[1]?.gate.resolve();
    expect(await Promise.all(answers)).toEqual([10, 20, 30]);
    await batches.idle();
  });

  it("begin with all that came in one turn of the event loop, where they are told to", async () => {
    const { batches, passes } = gated({ start: "after_turn" });
    const answers = [1, 2].map((item) => batches.request("a", item));
    await Promise.resolve();
    answers.push(batches.request("a", 3));
    expect(passes).toEqual([]);
    await expect.poll(() => passes.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    answers.push(batches.request("a", 4));
    passes[0]?.gate.resolve();
    await expect.poll(() => passes.map(({ items }) => items)).toEqual([[1, 2, 3], [4]]);
    passes[1]?.gate.resolve();
    expect(await Promise.all(answers)).toEqual([10, 20, 30, 40]);
    await batches.idle();
  });

  it("take no more at once than they are to, in the order of the requests", async () => {
    const { batches, passes } = gated({ most: 2 });
    const answers = [1, 2, 3, 4].map((item) => batches.request("a", item));
    for (let pass = 0; pass < 3; pass++) {
      await expect.poll(() => passes.length).toBe(pass + 1);
      passes[pass]?.gate.resolve();
    }
    expect(await Promise.all(answers)).toEqual([10, 20, 30, 40]);
    expect(passes.map(({ items }) => items)).toEqual([[1], [2, 3], [4]]);
  });

  it("let no key wait for another", () => {
    const { batches, passes } = gated();
    void batches.request("a", 1);
    void batches.request("b", 2);
    expect(passes.map(({ items }) => items)).toEqual([[1], [2]]);
  });

  it("tell all of a failed pass, and go on", async () => {
    let passes = 0;
    const batches = createBatches<string, number, number>(async (_key, items) => {
      passes += 1;
      if (passes === 2) throw new Error("boom");
      return items;
    });
    const answers = await Promise.allSettled([1, 2, 3].map((item) => batches.request("a", item)));
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(await batches.request("a", 4)).toBe(4);
  });

  it("let a pass answer each on its own", async () => {
    const batches = createBatches<string, number, number>(async (_key, items) =>
      items.map(async (item) => {
        if (item === 2) throw new Error("not this one");
        return item;
      }),
    );
    const answers = await Promise.allSettled([1, 2, 3].map((item) => batches.request("a", item)));
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("leave nobody without an answer where a pass gives too few", async () => {
    const batches = createBatches<string, number, number>(async () => []);
    await expect(batches.request("a", 1)).rejects.toThrow("1 were asked for, 0 were answered");
  });
});
