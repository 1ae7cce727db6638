import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunId } from "../../../src/kernel/index.ts";
import { createFixture, type Fixture, stepPlan } from "../fixture.ts";
import { type Bench, begunNames, createBench, type Process } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

async function cancel(bench: Bench, process: Process, runId: RunId): Promise<void> {
  expect(await bench.store.runs.requestCancel(runId, "somebody")).toBe("requested");
  await process.orchestrator.enqueue(runId);
  await bench.quiet();
}

const canceled = { status: "canceled", reason: "canceled" };
const two = { build: [stepPlan("a"), stepPlan("b")], test: [stepPlan("t")] };

describe("a cancel", () => {
  it("ends a run of which nothing was started", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process();
    const runId = await bench.accept(process, two);
    await bench.store.runs.requestCancel(runId, "somebody");
    await process.own(runId);
    expect(await bench.view(runId)).toMatchObject({
      ...canceled,
      phase: "submitted",
      jobs: { "build.1": "canceled", "test.1": "canceled" },
      steps: { a: "canceled", b: "canceled", t: "canceled" },
      executions: { a: [], b: [], t: [] },
    });
    expect(bench.world.events).toEqual([]);
  });

  it("keeps a step from beginning", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { a: { hold: "before" } } });
    const runId = await bench.begin(process, two);
    await cancel(bench, process, runId);
    expect(await bench.view(runId)).toMatchObject({ ...canceled, executions: { a: ["canceled"], b: [] } });
    expect(bench.world.begins.size).toBe(0);
    expect(bench.world.jobs.size).toBe(0);
  });

  it("ends a running step, and nothing follows", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { a: { hold: "after" } } });
    const runId = await bench.begin(process, two);
    await cancel(bench, process, runId);
    expect(await bench.view(runId)).toMatchObject({
      ...canceled,
      steps: { a: "canceled", b: "canceled", t: "canceled" },
    });
    expect(begunNames(bench.world)).toEqual(["a"]);
  });

  it("waits until the executor has proven that nothing lives; the state is final only then", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { a: { hold: "after", onCancel: "ignore once" } } });
    const runId = await bench.begin(process, two);
    await cancel(bench, process, runId);
    expect(await bench.view(runId)).toMatchObject({ status: "running", steps: { a: "running" } });
    process.executor.finish("a");
    await bench.quiet();
    // Its success was proven: it stands, and what had not begun is canceled.
    expect(await bench.view(runId)).toMatchObject({ ...canceled, steps: { a: "succeeded", b: "canceled" } });
  });

  it("comes too late for a run whose last step succeeds", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { a: { hold: "after", onCancel: "ignore once" } } });
    const runId = await bench.begin(process, { build: [stepPlan("a")] });
    await cancel(bench, process, runId);
    process.executor.finish("a");
    await bench.quiet();
    expect(await bench.view(runId)).toMatchObject({ status: "success", reason: null });
  });

  it("takes what waits for a slot out of the queue, without an executor", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: { first: { hold: "after" } } });
    const holder = await bench.begin(process, { build: [stepPlan("first")] });
    const runId = await bench.begin(process, two);
    expect((await bench.view(runId)).executions).toMatchObject({ a: ["pending"] });
    await cancel(bench, process, runId);
    expect(await bench.view(runId)).toMatchObject({ ...canceled, executions: { a: ["canceled"] } });
    process.executor.finish("first");
    await bench.quiet();
    expect((await bench.view(holder)).status).toBe("success");
    expect(begunNames(bench.world)).toEqual(["first"]);
  });

  it("meets a claim whose answer is on its way: what was claimed does not start", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: { first: { hold: "after" } } });
    await bench.begin(process, { build: [stepPlan("first")] });
    const runId = await bench.begin(process, two);
    const claim = process.gate.hold("executions.claim", "after");
    process.executor.finish("first");
    await claim.reached;
    await bench.store.runs.requestCancel(runId, "somebody");
    await process.orchestrator.enqueue(runId);
    claim.release();
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("canceled");
    expect(begunNames(bench.world)).toEqual(["first"]);
  });

  it.each(["told", "untold"])(
    "while a workspace is being opened keeps its steps from starting (%s)",
    async (told) => {
      await using bench = await createBench(fixture);
      const process = await bench.process();
      const open = process.gate.hold("executor.open", "before");
      const runId = await bench.begin(process, two);
      await open.reached;
      await bench.store.runs.requestCancel(runId, "another process");
      if (told === "told") await process.orchestrator.enqueue(runId);
      open.release();
      await bench.quiet();
      await bench.resync();
      expect((await bench.view(runId)).status).toBe("canceled");
      expect(bench.world.begins.size).toBe(0);
      expect(bench.world.jobs.size).toBe(0);
    },
  );

  it("without a notification is found by the resync", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { a: { hold: "after" } } });
    const runId = await bench.begin(process, two);
    await bench.store.runs.requestCancel(runId, "another process");
    await bench.resync();
    expect((await bench.view(runId)).status).toBe("canceled");
  });

  it("of an attempt that a crash left unbegun cancels the run, and does not fail it", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: { a: { hold: "before", onRestart: "lose" } } });
    const runId = await bench.begin(first, two);
    first.gate.freezeAfter(0);
    await bench.store.runs.requestCancel(runId, "somebody");
    await bench.takeOwnership(runId, first, await bench.process());
    expect(await bench.view(runId)).toMatchObject({ ...canceled, executions: { a: ["lost"] } });
  });
});
