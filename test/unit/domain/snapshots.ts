/** Short ways to make what the planner is given. */
import type {
  CompletedExecution,
  Evidence,
  ExecutionView,
  JobType,
  Outcome,
  Result,
  RunSnapshot,
  StageState,
  StepPlan,
  StepView,
} from "../../../src/domain/index.ts";
import {
  type ExecutionId,
  type InstanceId,
  type JobId,
  newId,
  type RunId,
  type StepId,
} from "../../../src/kernel/index.ts";

const instance = newId<InstanceId>();

export const nothing: Evidence = { completed: [], begun: [] };

export const stepPlan: StepPlan = {
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

export function step(name: string, status: StepView["status"], more: Partial<StepView> = {}): StepView {
  const order = more.order ?? 0;
  const attempts = status === "pending" ? 0 : 1;
  return { id: newId<StepId>(), name, order, parallelGroup: null, status, attempts, plan: stepPlan, ...more };
}

export function execution(of: StepView, status: ExecutionView["status"] = "pending"): ExecutionView {
  return { id: newId<ExecutionId>(), stepId: of.id, attempt: of.attempts, status, instance };
}

export function snapshot(
  given: Partial<Omit<RunSnapshot, "run" | "jobs">> & {
    run?: Partial<RunSnapshot["run"]>;
    jobs?: Partial<Record<JobType, RunSnapshot["jobs"][number]["status"]>>;
  },
): RunSnapshot {
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
  killedBy: null,
};

export function completed(
  of: ExecutionView,
  result: Result,
  outcome: Partial<Outcome> = {},
): CompletedExecution {
  return { executionId: of.id, result, outcome: { ...ended, ...outcome }, artifacts: [] };
}

export const succeeded: Result = { state: "succeeded" };
export const failed: Result = { state: "failed", reason: "script_failed", message: "exit status 1" };
export const lost: Result = { state: "lost", reason: "executor_lost", message: null };
export const canceled: Result = { state: "canceled", reason: "canceled", message: null };
