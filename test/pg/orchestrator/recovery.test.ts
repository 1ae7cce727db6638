import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeOutcomes } from "../../../src/executor/index.ts";
import { createFixture, type Fixture, stepPlan } from "../fixture.ts";
import { away, begunNames, createBench } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const held = { a: { hold: "after" }, b: { hold: "after" } } as const;
const chain = { build: [stepPlan("a"), stepPlan("b")], test: [stepPlan("t")] };

describe("another process that takes ownership of a run", () => {
  it("re-attaches what runs after an orderly stop, repeats nothing and brings the run to its end", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: held });
    const runId = await bench.begin(first, chain);
    await first.stop();
    first.executor.finish("a");
    const second = await bench.process({ script: held });
    await bench.takeOwnership(runId, first, second);
    expect(begunNames(bench.world)).toEqual(["a", "b"]);
    second.executor.finish("b");
    await bench.quiet();
    expect(await bench.view(runId)).toMatchObject({ status: "success", executions: { a: ["succeeded"] } });
    expect([...bench.world.begins.values()]).toEqual([1, 1, 1]);
  });

  it("starts what was committed and never opened, as the same attempt", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process();
    first.gate.hold("executor.open", "before");
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    await bench.takeOwnership(runId, first, await bench.process());
    expect(await bench.view(runId)).toMatchObject({
      status: "success",
      executions: { a: ["succeeded"], b: ["succeeded"] },
    });
  });

  it("calls lost what vanished from an open job, and does not repeat it", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: { a: { hold: "after", onRestart: "forget" } } });
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    await bench.takeOwnership(runId, first, await bench.process());
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "executor_lost",
      executions: { a: ["lost"], b: [] },
    });
    expect(begunNames(bench.world)).toEqual(["a"]);
  });

  it("repeats in place what is proven not to have begun, and no more than three times", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: { a: { hold: "before", onRestart: "lose" } } });
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    const second = await bench.process({ script: { a: { outcome: fakeOutcomes.lostBeforeBegin } } });
    await bench.takeOwnership(runId, first, second);
    expect(await bench.view(runId)).toMatchObject({
      status: "failed",
      reason: "executor_lost",
      jobs: { "build.1": "failed" },
      executions: { a: ["lost", "lost", "lost"] },
    });
    expect(bench.world.begins.size).toBe(0);
  });

  it("lets what runs occupy its slots before anything that waits is claimed", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ slots: 1, script: held });
    const running = await bench.begin(first, { build: [stepPlan("a")] });
    const waiting = await bench.begin(first, { build: [stepPlan("b")] });
    first.gate.freezeAfter(0);
    const second = await bench.process({ slots: 1, script: held, idle: true });
    const taken = await bench.store.runs.takeOwnershipOfMany(first.owner, second.owner, 10);
    expect(new Map(taken.map(({ id, claimed }) => [id, claimed?.length]))).toEqual(
      new Map([
        [running, 1],
        [waiting, 0],
      ]),
    );
    second.orchestrator.own(taken);
    second.orchestrator.start();
    // Nobody has looked at the one that runs yet.
    await second.orchestrator.enqueue(waiting);
    const fresh = await bench.begin(second, { build: [stepPlan("c")] });
    expect(begunNames(bench.world)).toEqual(["a"]);
    await second.orchestrator.enqueue(running);
    second.executor.finish("a");
    await bench.quiet();
    expect(begunNames(bench.world)).toEqual(["a", "b"]);
    second.executor.finish("b");
    await bench.quiet();
    for (const id of [running, waiting, fresh]) expect((await bench.view(id)).status).toBe("success");
  });

  it("claims nothing before it has begun to, and then what waits", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, idle: true });
    const runId = await bench.begin(process, { build: [stepPlan("a")] });
    expect(begunNames(bench.world)).toEqual([]);
    process.orchestrator.start();
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
  });

  it("finds a run by its resync when the reply that confirmed the ownership was lost", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: held });
    const runId = await bench.begin(first, { build: [stepPlan("a")] });
    first.gate.freezeAfter(0);
    const second = await bench.process({ script: held });
    expect(await bench.store.runs.takeOwnershipOfMany(first.owner, second.owner, 10)).toHaveLength(1);
    await second.orchestrator.resync();
    second.executor.finish("a");
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
  });

  it("is not disturbed by the first, when that wakes", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: held });
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(2);
    first.executor.finish("a", fakeOutcomes.failure);
    await bench.quiet();
    expect(first.gate.frozen).toBe(true);
    const answers: unknown[] = [];
    first.gate.onAnswer((name, value) => {
      if (name === "runs.apply" || name === "executions.place") answers.push(value);
    });
    const second = await bench.process({ script: held });
    await bench.takeOwnership(runId, first, second);
    const { seq } = await bench.view(runId);
    first.gate.thaw();
    await bench.resync();
    expect(answers.filter(Boolean)).toEqual([]);
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason: "script_failed", seq });
    expect([...bench.world.begins.values()]).toEqual([1]);
  });

  it("is not disturbed by the first either while it sleeps itself", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: held });
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    const second = await bench.process({ script: held });
    await bench.takeOwnership(runId, first, second);
    const { seq } = await bench.view(runId);
    second.gate.freezeAfter(0);
    first.gate.thaw();
    first.executor.finish("a");
    await bench.quiet();
    // It read the run as it is now, and its epoch alone forbids the write.
    expect(first.gate.calls.get("runs.apply")).toBe(2);
    expect(await bench.view(runId)).toMatchObject({ seq, steps: { a: "running" } });
    second.gate.thaw();
    await bench.resync();
    expect((await bench.view(runId)).steps).toMatchObject({ a: "succeeded", b: "running" });
  });

  it("starts alone what the first was opening when it froze", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: held });
    const opening = first.gate.hold("executor.open", "after");
    const runId = await bench.begin(first, chain);
    await opening.reached;
    const second = await bench.process({ script: held });
    await bench.takeOwnership(runId, first, second);
    expect(begunNames(bench.world)).toEqual(["a"]);
    opening.release();
    await bench.resync();
    expect(first.gate.calls.get("executor.submit")).toBeUndefined();
    expect([...bench.world.begins.values()]).toEqual([1]);
    expect((await bench.view(runId)).status).toBe("running");
  });

  it("leaves the first no timers, no slots and no control of its former runs", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ slots: 1, script: { ...held, own: { hold: "after" } } });
    const runId = await bench.begin(first, chain);
    await bench.takeOwnership(runId, first, await bench.process({ script: held }));
    // Its own end of the attempt is refused; that it meets another owner makes it let go.
    first.executor.finish("a");
    await bench.resync();
    const events = bench.world.events.length;
    bench.clock.advance(3_600_000);
    await first.gate.quiet();
    expect(
      bench.world.events.slice(events).filter(({ what, step }) => what === "cancel" && step === "a"),
    ).toEqual([]);
  });
});

describe("a stop", () => {
  it("starts what is committed in an open workspace, waits for it, and nothing more", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: held });
    const runId = await bench.begin(process, chain);
    const apply = process.gate.hold("runs.apply", "after");
    process.executor.finish("a");
    await apply.reached;
    const stopped = process.stop();
    apply.release();
    await stopped;
    expect(begunNames(bench.world)).toEqual(["a", "b"]);
    process.executor.finish("b");
    await bench.resync();
    expect((await bench.view(runId)).steps).toMatchObject({ a: "succeeded", b: "running" });
    expect(bench.clock.sleepers).toBe(0);
  });

  it("leaves a job that is being opened to the next process, which loses nothing of it", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process();
    const open = process.gate.hold("executor.open", "after");
    const runId = await bench.begin(process, chain);
    await open.reached;
    const stopped = process.stop();
    open.release();
    await stopped;
    expect(bench.world.begins.size).toBe(0);
    await bench.takeOwnership(runId, process, await bench.process());
    expect(await bench.view(runId)).toMatchObject({ status: "success", executions: { a: ["succeeded"] } });
  });

  it("twice is one stop; afterwards nothing is reconciled", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process();
    await Promise.all([process.orchestrator.stop(), process.orchestrator.stop()]);
    const runId = await bench.accept(process, chain);
    await process.own(runId);
    await process.orchestrator.enqueue(runId);
    expect((await bench.view(runId)).status).toBe("pending");
  });
});

describe("a process that only observes", () => {
  it("writes down what has ended, starts nothing, and lets go", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: held });
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    first.executor.finish("a");
    const reader = await bench.process({ idle: true });
    await bench.store.runs.takeOwnership(runId, first.owner, reader.owner);
    await reader.orchestrator.observe(runId);
    expect(await bench.view(runId)).toMatchObject({
      status: "running",
      steps: { a: "succeeded", b: "pending" },
      executions: { b: [] },
    });
    expect(begunNames(bench.world)).toEqual(["a"]);
    const calls = new Map(reader.gate.calls);
    await bench.resync();
    expect(new Map(reader.gate.calls)).toEqual(calls);
  });

  it("records an end to the run, and starts no workspace that was never opened", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process();
    first.gate.hold("executor.open", "before");
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    const reader = await bench.process({ idle: true });
    await bench.store.runs.takeOwnership(runId, first.owner, reader.owner);
    await reader.orchestrator.observe(runId);
    expect(await bench.view(runId)).toMatchObject({ status: "running", executions: { a: ["pending"] } });
    expect(bench.world.events).toEqual([]);
    await bench.store.runs.requestCancel(runId, "somebody");
    await reader.orchestrator.observe(runId);
    expect((await bench.view(runId)).status).toBe("canceled");
  });

  it("ends what is to be canceled", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: held });
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    await bench.store.runs.requestCancel(runId, "somebody");
    const reader = await bench.process({ idle: true });
    await bench.store.runs.takeOwnership(runId, first.owner, reader.owner);
    await reader.orchestrator.observe(runId);
    expect(await bench.view(runId)).toMatchObject({ status: "canceled", executions: { a: ["canceled"] } });
  });

  it("keeps an attempt to repeat for the owner of the run", async () => {
    await using bench = await createBench(fixture);
    const first = await bench.process({ script: { a: { hold: "before", onRestart: "lose" } } });
    const runId = await bench.begin(first, chain);
    first.gate.freezeAfter(0);
    const reader = await bench.process({ idle: true });
    await bench.store.runs.takeOwnership(runId, first.owner, reader.owner);
    await reader.orchestrator.observe(runId);
    expect((await bench.view(runId)).executions).toMatchObject({ a: ["lost", "pending"] });
    expect(bench.world.begins.size).toBe(0);
    await bench.takeOwnership(runId, reader, await bench.process());
    expect((await bench.view(runId)).status).toBe("success");
  });
});

describe("a workspace", () => {
  it("that cannot be closed is closed by the resync", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process();
    process.gate.fail("executor.close", "before", new Error("EBUSY"));
    const runId = await bench.begin(process, { build: [stepPlan("a")] });
    expect((await bench.view(runId)).status).toBe("success");
    expect(bench.world.jobs.size).toBe(1);
    await bench.resync();
    expect(bench.world.jobs.size).toBe(0);
  });

  it("of a failed attempt is closed, and the job's next attempt gets its own", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { a: [{ outcome: fakeOutcomes.failure }, {}] } });
    const retry = { max: 1, on: ["script_failed"] } as const;
    const runId = await bench.begin(process, { build: [stepPlan("a", { retry })] });
    expect(await bench.view(runId)).toMatchObject({
      status: "success",
      jobs: { "build.1": "failed", "build.2": "succeeded" },
    });
    const opened = bench.world.events.filter(({ what }) => what === "open");
    expect(new Set(opened.map(({ jobId }) => jobId)).size).toBe(2);
    expect(bench.world.jobs.size).toBe(0);
  });

  it("that cannot be opened fails its steps with the true reason, each once", async () => {
    await using bench = await createBench(fixture);
    const gone = new Error("disk");
    const process = await bench.process({ openError: () => gone });
    const group = ["a", "b"].map((name) => stepPlan(name, { parallelGroup: "g" }));
    const runId = await bench.begin(process, { build: group });
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason: "internal" });
    expect(process.gate.calls.get("executor.open")).toBe(1);
  });

  it("is opened again when the database was away in between", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process();
    process.gate.fail("executions.place", "after", away());
    const runId = await bench.begin(process, { build: [stepPlan("a")] });
    expect((await bench.view(runId)).executions).toEqual({ a: ["pending"] });
    await bench.resync();
    expect(await bench.view(runId)).toMatchObject({ status: "success", executions: { a: ["succeeded"] } });
  });
});
