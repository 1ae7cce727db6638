import { describe, expect, it } from "vitest";
import {
  type Evidence,
  type ExecutionView,
  type JobType,
  maxInPlaceAttempts,
  type Outcome,
  plan,
  type SettledExecution,
  type Snapshot,
  type StageState,
  type StepPlan,
  type StepView,
  type Verdict,
} from "../../../src/domain/index.ts";
import {
  type ExecutionId,
  type JobId,
  type NodeId,
  newId,
  type RunId,
  type StepId,
} from "../../../src/kernel/index.ts";

const node = newId<NodeId>();
const nothing: Evidence = { settled: [], begun: [] };

const stepPlan: StepPlan = {
  name: "step",
  parallelGroup: null,
  image: null,
  command: "true",
  shell: null,
  env: {},
  secrets: [],
  source: "tree",
  inputs: [],
  outputs: [],
  timeoutSeconds: 60,
  graceSeconds: 1,
  retry: null,
  deploy: null,
};

function step(name: string, status: StepView["status"], more: Partial<StepView> = {}): StepView {
  const order = more.order ?? 0;
  const attempts = status === "pending" ? 0 : 1;
  return { id: newId<StepId>(), name, order, parallelGroup: null, status, attempts, plan: stepPlan, ...more };
}

function execution(of: StepView, status: ExecutionView["status"] = "pending"): ExecutionView {
  return { id: newId<ExecutionId>(), stepId: of.id, attempt: of.attempts, status, node };
}

function snapshot(
  given: Partial<Omit<Snapshot, "run" | "jobs">> & {
    run?: Partial<Snapshot["run"]>;
    jobs?: Partial<Record<JobType, Snapshot["jobs"][number]["status"]>>;
  },
): Snapshot {
  const states: Partial<Record<JobType, StageState>> = given.jobs ?? { build: "pending" };
  const jobs = Object.entries(states).map(([type, status]) => ({
    id: newId<JobId>(),
    type: type as JobType,
    status,
    attempt: 1,
  }));
  return {
    steps: [],
    executions: [],
    failure: null,
    anyCanceled: false,
    deployBlock: null,
    ...given,
    jobs,
    run: {
      id: newId<RunId>(),
      seq: 1,
      status: "pending",
      phase: "submitted",
      cancelRequested: false,
      resolved: true,
      ...given.run,
    },
  };
}

const ended: Outcome = {
  began: true,
  begunAt: new Date(0),
  endedAt: new Date(1),
  exitCode: 0,
  reason: null,
  message: null,
  workspaceWhole: true,
  logBytes: 0,
  logDropped: 0,
  killRung: null,
};

function settled(of: ExecutionView, verdict: Verdict, outcome: Partial<Outcome> = {}): SettledExecution {
  return { executionId: of.id, verdict, outcome: { ...ended, ...outcome }, artifacts: [] };
}

const succeeded: Verdict = { state: "succeeded" };
const failed: Verdict = { state: "failed", reason: "script_failed", message: "exit status 1" };
const lost: Verdict = { state: "lost", reason: "executor_lost", message: null };
const canceled: Verdict = { state: "canceled", reason: "canceled", message: null };

describe("starting", () => {
  it("starts run, job and the first step, and asks for its submission", () => {
    const [first, second] = [step("a", "pending"), step("b", "pending", { order: 1 })];
    const { changes, intents } = plan(snapshot({ steps: [first, second] }), nothing);
    expect(changes?.run).toMatchObject({
      status: { from: "pending", to: "running" },
      phase: { from: "submitted", to: "building" },
    });
    expect(changes?.jobs.map((job) => job.path)).toEqual([["pending", "running"]]);
    expect(changes?.steps).toEqual([{ id: first.id, from: "pending", to: "running" }]);
    expect(changes?.newExecutions).toMatchObject([{ stepId: first.id, attempt: 1 }]);
    expect(intents.map((intent) => intent.kind)).toEqual(["submit"]);
  });

  it("starts a whole parallel group and nothing after it", () => {
    const group = ["a", "b", "c"].map((name, order) => step(name, "pending", { order, parallelGroup: "g" }));
    const later = step("d", "pending", { order: 3, parallelGroup: "h" });
    const { changes } = plan(snapshot({ steps: [...group, later] }), nothing);
    expect(changes?.steps.map((change) => change.id)).toEqual(group.map((one) => one.id));
  });

  it("records without starting when it only writes down", () => {
    expect(plan(snapshot({ steps: [step("a", "pending")] }), nothing, "record")).toEqual({
      changes: null,
      intents: [],
    });
  });
});

describe("success", () => {
  it("finishes a step and starts the next in one change", () => {
    const [first, second] = [step("a", "running"), step("b", "pending", { order: 1 })];
    const live = execution(first);
    const { changes } = plan(
      snapshot({
        run: { status: "running", phase: "building" },
        jobs: { build: "running" },
        steps: [first, second],
        executions: [live],
      }),
      { settled: [settled(live, succeeded)], begun: [] },
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
    const { changes } = plan(
      snapshot({
        run: { status: "running" },
        jobs: { build: "running" },
        steps: [first, second],
        executions: live,
      }),
      { settled: [settled(live[0], succeeded)], begun: [] },
    );
    expect(changes?.steps.map((change) => change.to)).toEqual(["succeeded"]);
    expect(changes?.jobs).toEqual([]);
  });

  it("ends the job and, after the last one, the run", () => {
    const last = step("a", "running");
    const live = execution(last, "running");
    const { changes, intents } = plan(
      snapshot({
        run: { status: "running", phase: "testing" },
        jobs: { build: "succeeded", test: "running" },
        steps: [last],
        executions: [live],
      }),
      { settled: [settled(live, succeeded)], begun: [] },
    );
    expect(changes?.run).toMatchObject({
      status: { to: "success" },
      phase: { from: "testing", to: "tested" },
    });
    expect(intents.map((intent) => intent.kind)).toEqual(["close", "finished"]);
  });
});

describe("failure", () => {
  it("lets the group finish, then skips the rest and fails with the first reason", () => {
    const [other, later] = [step("b", "running", { parallelGroup: "g" }), step("c", "pending", { order: 2 })];
    const live = execution(other, "running");
    const first = { stepName: "a", reason: "timed_out", message: "after 60 s", retry: null } as const;
    const { changes } = plan(
      snapshot({
        run: { status: "running" },
        jobs: { build: "running", test: "pending" },
        steps: [other, later],
        executions: [live],
        failure: first,
      }),
      { settled: [settled(live, failed)], begun: [] },
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
    const evidence = { settled: [settled(live, failed)], begun: [] };
    const again = plan(snapshot(given), evidence).changes;
    expect(again?.newJobs).toMatchObject([{ attempt: 2 }]);
    expect(again?.run).toBeNull();
    const spent = snapshot(given);
    const second = { ...spent, jobs: spent.jobs.map((job) => ({ ...job, attempt: 2 })) };
    expect(plan(second, evidence).changes?.run?.status?.to).toBe("failed");
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
    const { changes, intents } = plan(snapshot(given), {
      settled: [settled(live, lost, unbegun)],
      begun: [],
    });
    expect(changes?.executions.map((one) => one.path)).toEqual([["pending", "lost"]]);
    expect(changes?.newExecutions).toMatchObject([{ attempt: 2 }]);
    expect(changes?.steps).toEqual([]);
    expect(intents.map((intent) => intent.kind)).toEqual(["submit"]);
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
    const { changes } = plan(snapshot(given), { settled: [settled(live, lost, outcome)], begun: [] });
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
    expect(plan(given, nothing)).toEqual({
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
    const { changes } = plan(given, { settled: [settled(live, canceled)], begun: [] });
    expect(changes?.run).toMatchObject({ status: { to: "canceled" }, reason: "canceled" });
    expect(changes?.jobs.map((job) => job.path.at(-1))).toEqual(["canceled", "canceled"]);
  });

  it("ends a run that had not started", () => {
    const { changes } = plan(
      snapshot({ run: { cancelRequested: true }, steps: [step("a", "pending")] }),
      nothing,
    );
    expect(changes?.run?.status).toEqual({ from: "pending", to: "canceled" });
  });

  it("leaves a proven success alone", () => {
    const last = step("a", "running");
    const live = execution(last, "running");
    const given = snapshot({ run, jobs: { build: "running" }, steps: [last], executions: [live] });
    const { changes } = plan(given, { settled: [settled(live, succeeded)], begun: [] });
    expect(changes?.run?.status?.to).toBe("success");
  });
});

describe("a deploy to a held release", () => {
  const given = (outcome: "active" | "unknown") =>
    snapshot({
      run: { status: "running", phase: "tested" },
      jobs: { test: "succeeded", deploy: "pending" },
      steps: [step("deploy", "pending")],
      deployBlock: { deploymentId: newId(), outcome },
    });

  it("waits while another is active", () => {
    expect(plan(given("active"), nothing)).toEqual({ changes: null, intents: [] });
  });

  it("fails and says how to settle one whose outcome nobody knows", () => {
    const { changes } = plan(given("unknown"), nothing);
    expect(changes?.run).toMatchObject({ status: { to: "failed" }, reason: "deploy_unknown" });
    expect(changes?.run?.message).toContain("shipinator deployments resolve");
  });
});

describe("a run that is not resolved", () => {
  const unresolved = (run: Partial<Snapshot["run"]> = {}) =>
    snapshot({ run: { resolved: false, ...run }, jobs: {} });
  const unresolvable = { reason: "config_invalid", message: "there is no file" } as const;
  const evidence: Evidence = { ...nothing, unresolvable };

  it("is resolved by who carries it, and by nobody else", () => {
    const given = unresolved();
    expect(plan(given, nothing)).toEqual({
      changes: null,
      intents: [{ kind: "resolve", runId: given.run.id }],
    });
    expect(plan(given, nothing, "record")).toEqual({ changes: null, intents: [] });
  });

  it.each(["carry", "record"] as const)("fails with what is known to be in the way: %s", (mode) => {
    const { changes, intents } = plan(unresolved(), evidence, mode);
    expect(changes?.run).toEqual({ status: { from: "pending", to: "failed" }, phase: null, ...unresolvable });
    expect(intents.map(({ kind }) => kind)).toEqual(["finished"]);
  });

  it.each(["carry", "record"] as const)("is canceled when it is to be, whatever is known: %s", (mode) => {
    for (const known of [nothing, evidence]) {
      const { changes, intents } = plan(unresolved({ cancelRequested: true }), known, mode);
      expect(changes?.run).toMatchObject({ status: { from: "pending", to: "canceled" }, reason: "canceled" });
      expect(intents.map(({ kind }) => kind)).toEqual(["finished"]);
    }
  });

  it("is left alone when it is over", () => {
    expect(plan(unresolved({ status: "failed" }), evidence)).toEqual({ changes: null, intents: [] });
  });

  it("that is resolved takes no notice of an old verdict", () => {
    const given = snapshot({ steps: [step("a", "pending")] });
    expect(plan(given, evidence).changes?.run).toMatchObject({ status: { to: "running" } });
  });
});
