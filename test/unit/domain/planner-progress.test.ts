import { describe, expect, it } from "vitest";
import type { Evidence, StepView } from "../../../src/domain/index.ts";
import { planRun } from "../../support/plan.ts";
import { completed, execution, failed, nothing, snapshot, step, succeeded } from "./snapshots.ts";

describe("starting", () => {
  it("starts run, job and the first step, and asks for its submission", () => {
    const [first, second] = [step("a", "pending"), step("b", "pending", { order: 1 })];
    const { changes, intents } = planRun(snapshot({ steps: [first, second] }), nothing);
    expect(changes?.run).toMatchObject({
      status: { from: "pending", to: "running" },
      phase: { from: "submitted", to: "building" },
    });
    expect(changes?.jobs.map((job) => job.path)).toEqual([["pending", "running"]]);
    expect(changes?.steps).toEqual([{ id: first.id, from: "pending", to: "running" }]);
    expect(changes?.newExecutions).toMatchObject([{ stepId: first.id, attempt: 1 }]);
    expect(intents.map((intent) => intent.kind)).toEqual([]);
  });

  it("starts a whole parallel group and nothing after it", () => {
    const group = ["a", "b", "c"].map((name, order) => step(name, "pending", { order, parallelGroup: "g" }));
    const later = step("d", "pending", { order: 3, parallelGroup: "h" });
    const { changes } = planRun(snapshot({ steps: [...group, later] }), nothing);
    expect(changes?.steps.map((change) => change.id)).toEqual(group.map((one) => one.id));
  });

  it("starts as much of a group as the limit allows, and more as others end", () => {
    const running = step("a", "running", { parallelGroup: "g" });
    const waiting = ["b", "c", "d"].map((name, index) =>
      step(name, "pending", { order: index + 1, parallelGroup: "g" }),
    );
    const live = execution(running, "running");
    const given = snapshot({
      run: { status: "running", phase: "building" },
      jobs: { build: "running" },
      steps: [running, ...waiting],
      executions: [live],
    });
    const started = (evidence: Evidence, limit: number) =>
      planRun(given, evidence, { parallelLimit: limit }).changes?.newExecutions.map(({ stepId }) => stepId) ??
      [];
    const ids = waiting.map(({ id }) => id);
    expect(started(nothing, 1)).toEqual([]);
    expect(started(nothing, 3)).toEqual(ids.slice(0, 2));
    expect(started({ completed: [completed(live, succeeded)], begun: [] }, 2)).toEqual(ids.slice(0, 2));
    expect(started({ completed: [completed(live, failed)], begun: [] }, 1)).toEqual(ids.slice(0, 1));
  });

  it("leaves the rest of a group to the owner of the run, after a failure too", () => {
    const waiting = step("b", "pending", { order: 1, parallelGroup: "g" });
    const given = snapshot({
      run: { status: "running", phase: "building" },
      jobs: { build: "running" },
      steps: [waiting],
      failure: { stepName: "a", parallelGroup: "g", reason: "script_failed", message: null, retry: null },
    });
    expect(planRun(given, nothing, { mode: "observe", parallelLimit: 1 }).changes).toBeNull();
    expect(planRun(given, nothing, { parallelLimit: 1 }).changes?.newExecutions).toMatchObject([
      { stepId: waiting.id },
    ]);
    const canceled = { ...given, run: { ...given.run, cancelRequested: true } };
    expect(planRun(canceled, nothing, { parallelLimit: 1 }).changes?.newExecutions).toEqual([]);
  });

  it("records without starting when it only writes down", () => {
    expect(planRun(snapshot({ steps: [step("a", "pending")] }), nothing, { mode: "observe" })).toEqual({
      changes: null,
      intents: [],
    });
  });
});

describe("success", () => {
  it("finishes a step and starts the next in one change", () => {
    const [first, second] = [step("a", "running"), step("b", "pending", { order: 1 })];
    const live = execution(first);
    const { changes } = planRun(
      snapshot({
        run: { status: "running", phase: "building" },
        jobs: { build: "running" },
        steps: [first, second],
        executions: [live],
      }),
      { completed: [completed(live, succeeded)], begun: [] },
    );
    expect(changes?.executions.map((change) => change.path)).toEqual([["pending", "running", "succeeded"]]);
    expect(changes?.steps.map((change) => [change.id, change.to])).toEqual([
      [first.id, "succeeded"],
      [second.id, "running"],
    ]);
    expect(changes?.run).toBeNull();
  });

  it("waits for the rest of a group", () => {
    const [first, second] = ["a", "b"].map((name, order) =>
      step(name, "running", { order, parallelGroup: "g" }),
    ) as [StepView, StepView];
    const live = [execution(first, "running"), execution(second, "running")] as const;
    const { changes } = planRun(
      snapshot({
        run: { status: "running" },
        jobs: { build: "running" },
        steps: [first, second],
        executions: live,
      }),
      { completed: [completed(live[0], succeeded)], begun: [] },
    );
    expect(changes?.steps.map((change) => change.to)).toEqual(["succeeded"]);
    expect(changes?.jobs).toEqual([]);
  });

  it("ends the job and, after the last one, the run", () => {
    const last = step("a", "running");
    const live = execution(last, "running");
    const { changes, intents } = planRun(
      snapshot({
        run: { status: "running", phase: "testing" },
        jobs: { build: "succeeded", test: "running" },
        steps: [last],
        executions: [live],
      }),
      { completed: [completed(live, succeeded)], begun: [] },
    );
    expect(changes?.run).toMatchObject({
      status: { to: "success" },
      phase: { from: "testing", to: "tested" },
    });
    expect(intents.map((intent) => intent.kind)).toEqual(["close", "finished"]);
  });
});
