import { describe, expect, it } from "vitest";
import type { DeployPlan, StepPlan } from "../../../src/domain/index.ts";
import { type FakeScript, fakeOutcomes } from "../../../src/executor/index.ts";
import { stepPlan } from "../fixture.ts";
import { type Bench, createBench, type Process } from "./bench.ts";

const target: DeployPlan = { target: "local", namespace: "demo", release: "site", kind: "helm" };
const deploy = (plan: DeployPlan = target): readonly StepPlan[] => [
  stepPlan("deploy", { source: "none", deploy: plan }),
];
const lost = { outcome: fakeOutcomes.lostAfterBegin };
const exit = (exitCode: number) =>
  exitCode === 0 ? {} : ({ exitCode, reason: "script_failed", message: `exit status ${exitCode}` } as const);

/** A run whose deploy is lost after its begin; the probe then ends as `history` says. */
async function lostDeploy(bench: Bench, history: FakeScript[string]) {
  const process = await bench.process({ script: { deploy: lost, "helm history": history } });
  const runId = await bench.begin(process, { deploy: deploy() });
  return { process, runId, ...(await bench.view(runId)) };
}

const named = (bench: Bench, name: string) =>
  [...bench.world.executions.values()].filter((execution) => execution.name === name);

const opened = (process: Process) => process.gate.calls.get("executor.open") ?? 0;
const closed = (process: Process) => process.gate.calls.get("executor.close") ?? 0;

describe("a deploy that was lost after it began", () => {
  it("is a success when helm's history has it as deployed, and is not repeated", async () => {
    await using bench = await createBench();
    const { process, runId, status, phase, executions } = await lostDeploy(bench, {});
    expect({ status, phase, executions }).toEqual({
      status: "success",
      phase: "deployed",
      executions: { deploy: ["succeeded"] },
    });
    expect(named(bench, "deploy")).toHaveLength(1);
    expect(named(bench, "helm history")).toHaveLength(1);
    const [deployment] = await bench.store.deployments.ofRun(runId);
    expect(deployment).toMatchObject({ outcome: "succeeded" });
    expect([opened(process), closed(process)]).toEqual([2, 2]);
  });

  it.each([
    [10, "pending-install, which nothing will finish; this removes it: helm uninstall site --namespace demo"],
    [11, "pending-upgrade, which nothing will finish; this goes back: helm rollback site --namespace demo"],
    [12, "helm's history has it as failed"],
    [13, "helm's history does not show it as the newest"],
    [1, "helm's history could not be read (exit status 1)"],
  ])("stays unknown when the answer is exit status %i", async (code, told) => {
    await using bench = await createBench();
    const { runId, status, reason, message } = await lostDeploy(bench, { outcome: exit(code) });
    expect({ status, reason }).toEqual({ status: "failed", reason: "deploy_unknown" });
    expect(message).toContain(told);
    expect(message).toContain("shipinator deployments list");
    expect(await bench.store.deployments.ofRun(runId)).toMatchObject([{ outcome: "unknown" }]);
  });

  it("stays unknown when the probe cannot run", async () => {
    await using bench = await createBench();
    const { process, reason, message } = await lostDeploy(bench, { submitError: new Error("no room") });
    expect(reason).toBe("deploy_unknown");
    expect(message).toContain("could not be read (no room)");
    expect(closed(process)).toBe(opened(process));
  });

  it("stays unknown when the answer does not come in a minute", async () => {
    await using bench = await createBench();
    const { runId, status } = await lostDeploy(bench, { hold: "after" });
    expect(status).toBe("running");
    bench.clock.advance(61_000);
    await bench.quiet();
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason: "deploy_unknown" });
  });

  it("is probed although every notification is lost", async () => {
    await using bench = await createBench();
    const { process, runId } = await lostDeploy(bench, { hold: "after", notifications: 0 });
    process.executor.finish("helm history");
    bench.clock.advance(1_000);
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
  });
});

describe("no probe runs", () => {
  it.each(["manifest", "script"] as const)("of a %s, which keeps no history", async (kind) => {
    await using bench = await createBench();
    const process = await bench.process({ script: { deploy: lost } });
    const runId = await bench.begin(process, { deploy: deploy({ ...target, kind }) });
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason: "deploy_unknown" });
    expect(bench.world.executions.size).toBe(1);
  });

  it.each([
    ["before it began", fakeOutcomes.lostBeforeBegin, "executor_lost"],
    ["by its own fault", fakeOutcomes.failure, "script_failed"],
    ["by its timeout", fakeOutcomes.timeout, "timed_out"],
  ])("of a deploy that ended %s", async (_how, outcome, reason) => {
    await using bench = await createBench();
    const process = await bench.process({ script: { deploy: { outcome } } });
    const runId = await bench.begin(process, { deploy: deploy() });
    expect(await bench.view(runId)).toMatchObject({ status: "failed", reason });
    expect(named(bench, "helm history")).toEqual([]);
  });

  it("in a process that only observes: the run waits for its owner", async () => {
    await using bench = await createBench();
    const first = await bench.process({ script: { deploy: { hold: "after" } } });
    const runId = await bench.begin(first, { deploy: deploy() });
    await first.stop();
    first.executor.lose("deploy");
    const reader = await bench.process({ idle: true });
    await bench.store.runs.takeOwnership(runId, first.owner, reader.owner);
    await reader.orchestrator.observe(runId);
    expect((await bench.view(runId)).status).toBe("running");
    expect(named(bench, "helm history")).toEqual([]);
    const second = await bench.process();
    await bench.takeOwnership(runId, reader, second);
    expect((await bench.view(runId)).status).toBe("success");
  });
});

describe("a process that stops while it asks", () => {
  it("leaves deploy and probe to the next one, which gets the same result", async () => {
    await using bench = await createBench();
    const { process, runId, status } = await lostDeploy(bench, { hold: "after" });
    expect(status).toBe("running");
    await process.stop();
    expect((await bench.view(runId)).status).toBe("running");
    process.executor.finish("helm history");
    const next = await bench.process();
    await bench.takeOwnership(runId, process, next);
    expect((await bench.view(runId)).status).toBe("success");
    expect(named(bench, "deploy")).toHaveLength(1);
    expect(named(bench, "helm history")).toHaveLength(1);
    expect(closed(next)).toBe(2);
  });
});
