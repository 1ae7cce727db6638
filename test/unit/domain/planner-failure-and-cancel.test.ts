import { describe, expect, it } from "vitest";
import { maxInPlaceAttempts, type StepPlan } from "../../../src/domain/index.ts";
import { planRun } from "../../support/plan.ts";
import {
  canceled,
  completed,
  execution,
  failed,
  lost,
  nothing,
  snapshot,
  step,
  stepPlan,
  succeeded,
} from "./snapshots.ts";

describe("failure", () => {
  it("lets the group finish, then skips the rest and fails with the first reason", () => {
    const [other, later] = [step("b", "running", { parallelGroup: "g" }), step("c", "pending", { order: 2 })];
    const live = execution(other, "running");
    const first = {
      stepName: "a",
      parallelGroup: null,
      reason: "timed_out",
      message: "after 60 s",
      retry: null,
    } as const;
    const { changes } = planRun(
      snapshot({
        run: { status: "running" },
        jobs: { build: "running", test: "pending" },
        steps: [other, later],
        executions: [live],
        failure: first,
      }),
      { completed: [completed(live, failed)], begun: [] },
    );
    expect(changes?.run).toMatchObject({
      status: { to: "failed" },
      reason: "timed_out",
      message: "step a: after 60 s",
    });
    expect(changes?.jobs.map((job) => job.path.at(-1))).toEqual(["failed", "skipped"]);
    expect(changes?.pendingSteps.map((one) => one.to)).toEqual(["skipped", "skipped"]);
  });

  it("repeats the job where the file asks for it, and only then", () => {
    const retry = { max: 1, on: ["script_failed"] } as const;
    const only = step("a", "running", { plan: { ...stepPlan, retry } });
    const live = execution(only, "running");
    const given = {
      run: { status: "running" },
      jobs: { build: "running" },
      steps: [only],
      executions: [live],
    } as const;
    const evidence = { completed: [completed(live, failed)], begun: [] };
    const again = planRun(snapshot(given), evidence).changes;
    expect(again?.newJobs).toMatchObject([{ attempt: 2 }]);
    expect(again?.run).toBeNull();
    const spent = snapshot(given);
    const second = { ...spent, jobs: spent.jobs.map((job) => ({ ...job, attempt: 2 })) };
    expect(planRun(second, evidence).changes?.run?.status?.to).toBe("failed");
  });
});

describe("a lost attempt", () => {
  const lone = (attempts: number, more: Partial<StepPlan> = {}) => {
    const only = step("a", "running", { attempts, plan: { ...stepPlan, ...more } });
    const live = execution(only);
    return {
      live,
      given: {
        run: { status: "running" as const },
        jobs: { build: "running" as const },
        steps: [only],
        executions: [live],
      },
    };
  };
  const unbegun = { began: false, begunAt: null, exitCode: null, reason: "executor_lost" as const };

  it("is started anew in place when nothing of the user's began", () => {
    const { live, given } = lone(1);
    const { changes, intents } = planRun(snapshot(given), {
      completed: [completed(live, lost, unbegun)],
      begun: [],
    });
    expect(changes?.executions.map((one) => one.path)).toEqual([["pending", "lost"]]);
    expect(changes?.newExecutions).toMatchObject([{ attempt: 2 }]);
    expect(changes?.steps).toEqual([]);
    expect(intents.map((intent) => intent.kind)).toEqual([]);
  });

  it.each([
    ["it had begun", 1, {}, { ...unbegun, began: true, begunAt: new Date(0) }],
    ["the workspace is not whole", 1, {}, { ...unbegun, workspaceWhole: false }],
    ["it was tried often enough", maxInPlaceAttempts, {}, unbegun],
    [
      "it is a deploy",
      1,
      { deploy: { target: "local", namespace: "n", release: "r", kind: "script" as const } },
      unbegun,
    ],
  ])("fails when %s", (_why, attempts, more, outcome) => {
    const { live, given } = lone(attempts, more);
    const { changes } = planRun(snapshot(given), { completed: [completed(live, lost, outcome)], begun: [] });
    expect(changes?.newExecutions).toEqual([]);
    expect(changes?.run).toMatchObject({ status: { to: "failed" }, reason: "executor_lost" });
  });
});

describe("cancel", () => {
  const run = { status: "running", cancelRequested: true } as const;

  it("asks for the end of what lives and starts nothing", () => {
    const [first, second] = [step("a", "running"), step("b", "pending", { order: 1 })];
    const live = execution(first, "running");
    const given = snapshot({ run, jobs: { build: "running" }, steps: [first, second], executions: [live] });
    expect(planRun(given, nothing)).toEqual({
      changes: null,
      intents: [{ kind: "cancel", executionId: live.id }],
    });
  });

  it("cancels the rest once nothing lives", () => {
    const [first, second] = [step("a", "running"), step("b", "pending", { order: 1 })];
    const live = execution(first, "running");
    const given = snapshot({
      run,
      jobs: { build: "running", test: "pending" },
      steps: [first, second],
      executions: [live],
    });
    const { changes } = planRun(given, { completed: [completed(live, canceled)], begun: [] });
    expect(changes?.run).toMatchObject({ status: { to: "canceled" }, reason: "canceled" });
    expect(changes?.jobs.map((job) => job.path.at(-1))).toEqual(["canceled", "canceled"]);
  });

  it("ends a run that had not started", () => {
    const { changes } = planRun(
      snapshot({ run: { cancelRequested: true }, steps: [step("a", "pending")] }),
      nothing,
    );
    expect(changes?.run?.status).toEqual({ from: "pending", to: "canceled" });
  });

  it("leaves a proven success alone", () => {
    const last = step("a", "running");
    const live = execution(last, "running");
    const given = snapshot({ run, jobs: { build: "running" }, steps: [last], executions: [live] });
    const { changes } = planRun(given, { completed: [completed(live, succeeded)], begun: [] });
    expect(changes?.run?.status?.to).toBe("success");
  });
});
