import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeOutcomes } from "../../../src/executor/index.ts";
import { createFixture, type Fixture, stepPlan } from "../fixture.ts";
import { away, begunNames, createBench } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const group = (count: number, prefix = "g") =>
  Array.from({ length: count }, (_, index) => stepPlan(`${prefix}${index}`, { parallelGroup: prefix }));
const held = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, { hold: "after" as const }]));

describe("a parallel group", () => {
  it("runs at once, all of it", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: held("g0", "g1", "g2") });
    await bench.begin(process, { build: [...group(3), stepPlan("after")] });
    expect(begunNames(bench.world)).toEqual(["g0", "g1", "g2"]);
  });

  it("is finished by its running steps after the first failure; what follows is skipped, the first reason told", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: held("g0", "g1", "g2") });
    const runId = await bench.begin(process, {
      build: [...group(3), stepPlan("later")],
      test: [stepPlan("unit")],
    });
    process.executor.finish("g1", fakeOutcomes.failure);
    await bench.quiet();
    expect(await bench.view(runId)).toMatchObject({
      status: "running",
      steps: { g0: "running", g1: "failed", g2: "running", later: "pending" },
    });
    process.executor.finish("g0", fakeOutcomes.outOfMemory);
    await bench.quiet();
    process.executor.finish("g2");
    await bench.quiet();
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      phase: "building",
      reason: "script_failed",
      message: "step g1: the script exited with status 1",
      jobs: { "build.1": "failed", "test.1": "skipped" },
      steps: { g0: "failed", g1: "failed", g2: "succeeded", later: "skipped", unit: "skipped" },
    });
    expect([...bench.world.begins.values()]).toEqual([1, 1, 1]);
    expect(bench.world.jobs.size).toBe(0);
  });

  it("counts failures that one advance records in the order of the file", async () => {
    await using bench = await createBench(fixture);
    const unheard = { hold: "after", notifications: 0 } as const;
    const process = await bench.process({ script: { g0: unheard, g1: unheard } });
    const runId = await bench.begin(process, { build: group(2) });
    process.executor.finish("g1", fakeOutcomes.outOfMemory);
    process.executor.finish("g0", fakeOutcomes.failure);
    await bench.resync();
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason: "script_failed" });
  });
});

describe("the limit of one run", () => {
  it("lets other runs have the slots that are left, and the rest of its group begin as others end", async () => {
    await using bench = await createBench(fixture);
    const names = ["a", "b"].flatMap((prefix) =>
      Array.from({ length: 3 }, (_, index) => `${prefix}${index}`),
    );
    const process = await bench.process({ slots: 4, parallelLimit: 2, script: held(...names) });
    const a = await bench.begin(process, { build: group(3, "a"), test: [stepPlan("after")] });
    expect(begunNames(bench.world)).toEqual(["a0", "a1"]);
    const b = await bench.begin(process, { build: group(3, "b") });
    expect(begunNames(bench.world)).toEqual(["a0", "a1", "b0", "b1"]);
    process.executor.finish("a0", fakeOutcomes.failure);
    await bench.quiet();
    expect((await bench.view(a)).steps).toMatchObject({ a0: "failed", a1: "running", a2: "running" });
    for (const name of ["a1", "a2", "b0", "b1", "b2"]) {
      process.executor.finish(name);
      await bench.quiet();
    }
    expect(await bench.view(a)).toMatchObject({
      status: "failed",
      steps: { a2: "succeeded", after: "skipped" },
    });
    expect((await bench.view(b)).status).toBe("success");
  });
});

describe("slots", () => {
  it("hold back what does not fit, and let it go as others end", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 2, script: held("g0", "g1", "g2", "g3", "g4") });
    const runId = await bench.begin(process, { build: group(5) });
    expect(begunNames(bench.world)).toEqual(["g0", "g1"]);
    process.executor.finish("g1");
    await bench.quiet();
    expect(begunNames(bench.world)).toHaveLength(3);
    // Which of those that wait since the same moment comes first is nobody's promise.
    for (const done = ["g1"]; done.length < 5; ) {
      const name = begunNames(bench.world).find((one) => !done.includes(one ?? "")) ?? "none";
      process.executor.finish(name);
      done.push(name);
      await bench.quiet();
    }
    expect((await bench.view(runId)).status).toBe("success");
  });

  it("go to who waits longest, not to the run that had one last", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: held("a0", "a1", "b0", "b1") });
    const a = await bench.begin(process, { build: [stepPlan("a0"), stepPlan("a1")] });
    const b = await bench.begin(process, { build: [stepPlan("b0"), stepPlan("b1")] });
    for (const name of ["a0", "b0", "a1", "b1"]) {
      expect(begunNames(bench.world).at(-1)).toBe(name);
      process.executor.finish(name);
      await bench.quiet();
    }
    expect([(await bench.view(a)).status, (await bench.view(b)).status]).toEqual(["success", "success"]);
  });

  it("are not started while the executor refuses, and are by the next resync", async () => {
    await using bench = await createBench(fixture);
    let full: string | null = "the disk is full";
    const process = await bench.process({ unavailableReason: () => full });
    const runId = await bench.begin(process, { build: [stepPlan("only")] });
    await bench.resync();
    expect(bench.world.begins.size).toBe(0);
    expect((await bench.view(runId)).executions).toEqual({ only: ["pending"] });
    full = null;
    await bench.resync();
    expect((await bench.view(runId)).status).toBe("success");
  });

  it("come back when a claim's answer is lost", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: held("g0", "g1") });
    const runId = await bench.begin(process, { build: group(2) });
    process.gate.fail("executions.claim", "after", away());
    process.executor.finish("g0");
    await bench.quiet();
    await bench.resync();
    expect(begunNames(bench.world)).toEqual(["g0", "g1"]);
    process.executor.finish("g1");
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
  });
});
