import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  createReconcileQueue,
  type ReconcileResult,
} from "../../../src/orchestrator/scheduling/reconcile-queue.ts";
import { createSteeredClock } from "../../pg/orchestrator/clock.ts";

function setUp(results: readonly (ReconcileResult | Error)[] = []) {
  const clock = createSteeredClock();
  const stopping = new AbortController();
  const reconciled: string[] = [];
  const errors: unknown[] = [];
  const queue = createReconcileQueue<string>({
    clock,
    retryMs: 100,
    stopping: stopping.signal,
    async reconcile(key) {
      reconciled.push(key);
      await turn();
      const result = results[reconciled.length - 1] ?? "done";
      if (result instanceof Error) throw result;
      return result;
    },
    onError: (_key, error) => errors.push(error),
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await turn();
    await queue.idle();
  };
  return { clock, stopping, queue, reconciled, errors, pass };
}

describe("the reconcile queue", () => {
  it("reconciles a key once more for all that enqueue it during a reconcile", async () => {
    const { queue, reconciled } = setUp();
    await Promise.all([queue.enqueue("a"), queue.enqueue("a"), queue.enqueue("a"), queue.enqueue("b")]);
    expect(reconciled.toSorted()).toEqual(["a", "a", "b"]);
  });

  it("repeats a reconcile that asks for it", async () => {
    const { queue, reconciled } = setUp(["again", "again", "done"]);
    await queue.enqueue("a");
    expect(reconciled).toEqual(["a", "a", "a"]);
  });

  it("retries a failed reconcile, and rejects nobody", async () => {
    const error = new Error("away");
    const { queue, reconciled, errors, pass } = setUp([error]);
    await queue.enqueue("a");
    expect(errors).toEqual([error]);
    await pass(99);
    expect(reconciled).toEqual(["a"]);
    await pass(1);
    expect(reconciled).toEqual(["a", "a"]);
    await pass(1_000);
    expect(reconciled).toHaveLength(2);
  });

  it("reconciles later what asks for that, unless it is reconciled before", async () => {
    const { queue, reconciled, pass, clock } = setUp([{ afterMs: 50 }, { afterMs: 50 }]);
    await queue.enqueue("a");
    await pass(40);
    await queue.enqueue("a");
    expect(clock.sleepers).toBe(1);
    await pass(40);
    expect(reconciled).toHaveLength(2);
    await pass(10);
    expect(reconciled).toHaveLength(3);
    expect(clock.sleepers).toBe(0);
  });

  it("has no timers after the stop", async () => {
    const { queue, reconciled, stopping, clock } = setUp([{ afterMs: 50 }]);
    await queue.enqueue("a");
    queue.enqueueAfter("b", 10);
    stopping.abort();
    queue.enqueueAfter("c", 10);
    await turn();
    expect(clock.sleepers).toBe(0);
    expect(reconciled).toEqual(["a"]);
  });
});
