import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeOutcomes } from "../../../src/executor/index.ts";
import { createFixture, type Fixture, stepPlan } from "../fixture.ts";
import { away, begunNames, createBench } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const deployOf = (release: string, name = "deploy") => ({
  deploy: [
    stepPlan(name, {
      source: "none",
      deploy: { target: "local", namespace: "default", release, kind: "script" },
    }),
  ],
});

describe("a deploy to a release", () => {
  it("waits while another run's deploy is active, through resyncs too", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    const first = await bench.begin(process, deployOf("waits", "first"));
    const second = await bench.begin(process, deployOf("waits", "second"));
    await bench.resync();
    expect(await bench.view(second)).toMatchObject({ status: "pending", executions: { second: [] } });
    process.executor.finish("first");
    await bench.quiet();
    await bench.resync();
    expect(begunNames(bench.world)).toEqual(["first", "second"]);
    expect([(await bench.view(first)).status, (await bench.view(second)).status]).toEqual([
      "success",
      "success",
    ]);
  });

  it("goes on at once when the other run's deploy ends in the same process", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    await bench.begin(process, deployOf("at once", "first"));
    const second = await bench.begin(process, deployOf("at once", "second"));
    expect((await bench.view(second)).status).toBe("pending");
    process.executor.finish("first");
    await bench.quiet();
    expect((await bench.view(second)).status).toBe("success");
  });

  it("goes on at once also when the other ends between its snapshot and its decision", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    const first = await bench.begin(process, deployOf("meanwhile", "first"));
    const second = await bench.accept(process, deployOf("meanwhile", "second"));
    const reading = process.gate.hold("runs.snapshot", "after");
    const reconciled = process.own(second);
    await reading.reached;
    const over = Promise.withResolvers<void>();
    process.orchestrator.onRecorded((_changes, runId) => {
      if (runId === first) over.resolve();
    });
    process.executor.finish("first");
    await over.promise;
    reading.release();
    await reconciled;
    await bench.quiet();
    expect([(await bench.view(first)).status, (await bench.view(second)).status]).toEqual([
      "success",
      "success",
    ]);
  });

  it("costs few reads for each that waits, in their order, however many wait", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    await bench.begin(process, deployOf("queue", "first"));
    const names = Array.from({ length: 20 }, (_, i) => `d${i}`);
    const waiting = [];
    for (const name of names) waiting.push(await bench.begin(process, deployOf("queue", name)));
    const before = process.gate.calls.get("runs.snapshot") ?? 0;
    process.executor.finish("first");
    await bench.quiet();
    expect(begunNames(bench.world)).toEqual(["first", ...names]);
    for (const runId of waiting) expect((await bench.view(runId)).status).toBe("success");
    const reads = (process.gate.calls.get("runs.snapshot") ?? 0) - before;
    expect(reads).toBeLessThan(names.length * 5);
  });

  it("that is canceled when the release is free leaves it to the next", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    await bench.begin(process, deployOf("leaves", "first"));
    const second = await bench.begin(process, deployOf("leaves", "second"));
    const third = await bench.begin(process, deployOf("leaves", "third"));
    // Nobody tells this process: it finds out when it is woken.
    await bench.store.runs.requestCancel(second, "somebody");
    process.executor.finish("first");
    await bench.quiet();
    expect([(await bench.view(second)).status, (await bench.view(third)).status]).toEqual([
      "canceled",
      "success",
    ]);
  });

  it("after one of which nothing is known: all that wait end, each with the reason", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    await bench.begin(process, deployOf("all end", "first"));
    const waiting = [];
    for (const name of ["second", "third", "fourth"])
      waiting.push(await bench.begin(process, deployOf("all end", name)));
    process.executor.lose("first");
    await bench.quiet();
    for (const runId of waiting)
      expect(await bench.view(runId)).toMatchObject({ status: "failed", reason: "deploy_unknown" });
  });

  it("goes on by its own timer when nobody enqueued it", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    await bench.begin(process, deployOf("timer", "first"));
    const second = await bench.begin(process, deployOf("timer", "second"));
    process.gate.fail("runs.nextDeploy", "before", away());
    process.executor.finish("first");
    await bench.quiet();
    expect((await bench.view(second)).status).toBe("pending");
    await bench.resync();
    expect((await bench.view(second)).status).toBe("success");
  });

  it("is not found while an earlier stage of its run goes on", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" }, build: { hold: "after" } } });
    const held = { build: [stepPlan("build")], ...deployOf("building", "second") };
    const building = await bench.begin(process, held);
    const release = { target: "local", namespace: "default", release: "building" };
    expect(await bench.store.runs.nextDeploy(process.owner, release)).toBeNull();
    await bench.begin(process, deployOf("building", "first"));
    process.executor.finish("build");
    await bench.quiet();
    expect(await bench.store.runs.nextDeploy(process.owner, release)).toBe(building);
    process.executor.finish("first");
    await bench.quiet();
    expect((await bench.view(building)).status).toBe("success");
  });

  it("can be canceled while it waits", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    await bench.begin(process, deployOf("cancels", "first"));
    const second = await bench.begin(process, deployOf("cancels", "second"));
    await bench.store.runs.requestCancel(second, "somebody");
    await process.orchestrator.enqueue(second);
    expect((await bench.view(second)).status).toBe("canceled");
  });

  it("that was lost after its begin stays unknown, blocks the next, and a person resolves it", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "after" } } });
    const first = await bench.begin(process, deployOf("lost", "first"));
    process.executor.lose("first");
    await bench.quiet();
    expect(await bench.view(first)).toMatchObject({
      status: "failed",
      reason: "deploy_unknown",
      executions: { first: ["lost"] },
    });
    const [deployment] = await bench.store.deployments.ofRun(first);
    expect(deployment?.outcome).toBe("unknown");

    const second = await bench.begin(process, deployOf("lost", "second"));
    const blocked = await bench.view(second);
    expect(blocked).toMatchObject({ status: "failed", reason: "deploy_unknown", executions: { second: [] } });
    expect(blocked.message).toContain(
      `shipinator deployments resolve ${deployment?.id} --succeeded|--failed`,
    );

    if (deployment === undefined) throw new Error("no deployment");
    await bench.store.deployments.resolve(deployment.id, "failed", "somebody");
    const third = await bench.begin(process, deployOf("lost", "third"));
    expect((await bench.view(third)).status).toBe("success");
    expect(begunNames(bench.world)).toEqual(["first", "third"]);
  });

  it("that was lost before its begin is lost, is not repeated, and holds nothing", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { first: { hold: "before" } } });
    const first = await bench.begin(process, deployOf("unbegun", "first"));
    process.executor.lose("first");
    await bench.quiet();
    expect(await bench.view(first)).toMatchObject({
      status: "failed",
      reason: "executor_lost",
      executions: { first: ["lost"] },
    });
    expect((await bench.store.deployments.ofRun(first)).map((row) => row.outcome)).toEqual(["failed"]);
    const second = await bench.begin(process, deployOf("unbegun", "second"));
    expect((await bench.view(second)).status).toBe("success");
  });

  it("is never repeated in place, nor by a policy", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: { deploy: { outcome: fakeOutcomes.lostBeforeBegin } } });
    const runId = await bench.begin(process, deployOf("once"));
    expect(await bench.view(runId)).toMatchObject({ status: "failed", jobs: { "deploy.1": "failed" } });
    expect((await bench.view(runId)).executions).toEqual({ deploy: ["lost"] });
  });

  it("two of one moment: one goes first, the other waits", async () => {
    await using bench = await createBench(fixture);
    const script = { a: { hold: "after" }, b: { hold: "after" } } as const;
    const [one, other] = [await bench.process({ script }), await bench.process({ script })];
    const first = await bench.accept(one, deployOf("race", "a"));
    const second = await bench.accept(other, deployOf("race", "b"));
    const applies = [one, other].map(({ gate }) => gate.hold("runs.apply", "before"));
    const reconciled = [one.own(first), other.own(second)];
    await Promise.all(applies.map(({ reached }) => reached));
    for (const { release } of applies) release();
    await Promise.all(reconciled);
    await bench.quiet();
    expect(begunNames(bench.world)).toHaveLength(1);
    const winner = begunNames(bench.world)[0] ?? "none";
    one.executor.finish(winner);
    await bench.quiet();
    await bench.resync();
    one.executor.finish(winner === "a" ? "b" : "a");
    await bench.quiet();
    expect([(await bench.view(first)).status, (await bench.view(second)).status]).toEqual([
      "success",
      "success",
    ]);
  });
});
