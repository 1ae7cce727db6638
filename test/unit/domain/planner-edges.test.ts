import { describe, expect, it } from "vitest";
import type { ExecutionView, Outcome, RunSnapshot, StepView } from "../../../src/domain/index.ts";
import { type ExecutionId, type JobId, newId, type RunId, type StepId } from "../../../src/kernel/index.ts";
import { planRun } from "../../support/plan.ts";
import { nothing, stepPlan } from "./snapshots.ts";

function snapshot(
  run: Partial<RunSnapshot["run"]>,
  job: "pending" | "running" | null,
  more: Partial<Pick<RunSnapshot, "steps" | "executions">> = {},
): RunSnapshot {
  const jobs = job === null ? [] : [{ id: newId<JobId>(), type: "build" as const, status: job, attempt: 1 }];
  return {
    run: {
      id: newId<RunId>(),
      seq: 1,
      status: "pending",
      phase: "submitted",
      cancelRequested: false,
      resolved: true,
      ...run,
    },
    jobs,
    steps: [],
    executions: [],
    failure: null,
    anyCanceled: false,
    deployBlock: null,
    ...more,
  };
}

describe("a run that has nothing to do", () => {
  it("ends a job without steps in two moves, each of which its machine has", () => {
    const first = planRun(snapshot({}, "pending"), nothing).changes;
    expect(first?.run?.status).toEqual({ from: "pending", to: "running" });
    expect(first?.jobs.map(({ path }) => path)).toEqual([["pending", "running"]]);
    const second = planRun(snapshot({ status: "running", phase: "building" }, "running"), nothing).changes;
    expect(second?.jobs.map(({ path }) => path)).toEqual([["running", "succeeded"]]);
    expect(second?.run?.status).toEqual({ from: "running", to: "success" });
  });

  it("fails without jobs, for there is nothing to prove a success", () => {
    const { changes, intents } = planRun(snapshot({}, null), nothing);
    expect(changes?.run).toMatchObject({ status: { from: "pending", to: "failed" }, reason: "internal" });
    expect(intents.map(({ kind }) => kind)).toEqual(["finished"]);
  });
});

describe("an attempt that was lost before its begin, when the run is to be canceled", () => {
  const outcome: Outcome = {
    began: false,
    begunAt: null,
    endedAt: null,
    exitCode: null,
    reason: "executor_lost",
    message: null,
    workspaceWhole: true,
    logBytes: 0,
    logDropped: 0,
    killedBy: null,
  };

  function ended(over: Partial<Outcome>) {
    const id = newId<StepId>();
    const step: StepView = {
      id,
      name: "a",
      order: 0,
      parallelGroup: null,
      status: "running",
      attempts: 1,
      plan: stepPlan,
    };
    const execution: ExecutionView = {
      id: newId<ExecutionId>(),
      stepId: id,
      attempt: 1,
      status: "pending",
      instance: null,
    };
    const run = { status: "running", phase: "building", cancelRequested: true } as const;
    const result = { state: "lost", reason: "executor_lost", message: null } as const;
    const one = { executionId: execution.id, result, outcome: { ...outcome, ...over }, artifacts: [] };
    return planRun(snapshot(run, "running", { steps: [step], executions: [execution] }), {
      completed: [one],
      begun: [],
    }).changes;
  }

  it("is canceled with it: nothing ran, and nothing will", () => {
    const changes = ended({});
    expect(changes?.executions.map(({ path }) => path)).toEqual([["pending", "lost"]]);
    expect(changes?.steps.map(({ to }) => to)).toEqual(["canceled"]);
    expect(changes?.newExecutions).toEqual([]);
    expect(changes?.run?.status?.to).toBe("canceled");
  });

  it("fails it when it may have begun", () => {
    const changes = ended({ began: true, workspaceWhole: false });
    expect(changes?.run).toMatchObject({ status: { to: "failed" }, reason: "executor_lost" });
  });
});
