import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunId } from "../../../src/kernel/index.ts";
import { createFixture, type Fixture, steps } from "../fixture.ts";
import { type Bench, createBench, type Process } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** One run has the only slot and does not end; the others wait, and have been reconciled by a resync. */
async function queued(bench: Bench, process: Process, count: number): Promise<readonly RunId[]> {
  await bench.begin(process, { build: steps(1) });
  const waiting: RunId[] = [];
  while (waiting.length < count) waiting.push(await bench.begin(process, { build: steps(1) }));
  await bench.resync();
  return waiting;
}

const begun = ({ world }: Bench) => [...world.executions.values()].map(({ handle }) => handle.executionId);

describe("a resync", () => {
  it("reads the positions of all runs once, and reconciles none that waits for a slot and has not moved", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: { "step-0": { hold: "after" } } });
    await queued(bench, process, 20);
    const reads: number[] = [];
    process.gate.onAnswer((name) => {
      if (name === "runs.snapshot") reads.push(1);
    });
    const asked = process.gate.calls.get("runs.positions") ?? 0;
    await bench.resync();
    await bench.resync();
    expect(process.gate.calls.get("runs.positions")).toBe(asked + 2);
    // The one that runs is reconciled each time.
    expect(reads).toEqual([1, 1]);
  });

  it("finds a cancel without a notification", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: { "step-0": { hold: "after" } } });
    const [first, second] = await queued(bench, process, 2);
    if (first === undefined || second === undefined) throw new Error("none waits");
    await fixture.store.runs.requestCancel(first, "somebody");
    await bench.resync();
    expect((await bench.view(first)).status).toBe("canceled");
    expect((await bench.view(second)).status).toBe("running");
  });

  it("finds a claim whose answer was lost", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: { "step-0": { hold: "after" } } });
    const [first] = await queued(bench, process, 1);
    if (first === undefined) throw new Error("none waits");
    const claimed = await fixture.store.executions.claim(process.owner, 1);
    expect(claimed).toHaveLength(1);
    expect(begun(bench)).not.toContain(claimed[0]);
    await bench.resync();
    expect(begun(bench)).toContain(claimed[0]);
    expect((await bench.view(first)).steps).toEqual({ "step-0": "running" });
  });
});
