import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFixture, type Fixture, stepPlan } from "../fixture.ts";
import { type Bench, createBench } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const slow = { build: [stepPlan("slow", { timeoutSeconds: 60 })] };

async function elapse(bench: Bench, seconds: number): Promise<void> {
  bench.clock.advance(seconds * 1_000);
  await bench.quiet();
}

describe("a step's timeout", () => {
  it("ends it, and its job and run with it", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { slow: { hold: "after" } } });
    const runId = await bench.begin(process, slow);
    await elapse(bench, 59);
    expect((await bench.view(runId)).status).toBe("running");
    await elapse(bench, 1);
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "timed_out",
      message: "step slow: timed out",
      executions: { slow: ["failed"] },
    });
  });

  it("does not run before its begin", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { slow: { hold: "before" } } });
    const runId = await bench.begin(process, slow);
    await elapse(bench, 600);
    expect((await bench.view(runId)).status).toBe("running");
    process.executor.begin("slow");
    await bench.quiet();
    await elapse(bench, 59);
    expect((await bench.view(runId)).status).toBe("running");
    await elapse(bench, 1);
    expect((await bench.view(runId)).reason).toBe("timed_out");
  });

  it("is counted from the begin by the next owner after a restart", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: { slow: { hold: "after" } } });
    const runId = await bench.begin(first, slow);
    await elapse(bench, 40);
    await first.stop();
    expect(bench.clock.sleepers).toBe(0);
    const second = await bench.process();
    await bench.takeOwnership(runId, first, second);
    await elapse(bench, 19);
    expect((await bench.view(runId)).status).toBe("running");
    await elapse(bench, 1);
    expect((await bench.view(runId)).reason).toBe("timed_out");
  });

  it("that passed while no process owned the run ends it at once", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: { slow: { hold: "after" } } });
    const runId = await bench.begin(first, slow);
    await first.stop();
    await elapse(bench, 3_600);
    await bench.takeOwnership(runId, first, await bench.process());
    expect((await bench.view(runId)).reason).toBe("timed_out");
  });

  it("does not outlive the step, nor its process", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { slow: { hold: "after" } } });
    const before = bench.clock.sleepers;
    const runId = await bench.begin(process, slow);
    process.executor.finish("slow");
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
    expect(bench.clock.sleepers).toBe(before);
  });
});

describe("a begin", () => {
  it("is recorded when the step is still running a moment later", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { slow: { hold: "after" } } });
    const runId = await bench.begin(process, slow);
    expect((await bench.view(runId)).executions).toEqual({ slow: ["pending"] });
    await elapse(bench, 1);
    expect((await bench.view(runId)).executions).toEqual({ slow: ["running"] });
    const { seq } = await bench.view(runId);
    await bench.resync();
    expect((await bench.view(runId)).seq).toBe(seq);
  });
});
