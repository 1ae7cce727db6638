/**
 * Decides what a run does next: `plan(snapshot, evidence, options) → { changes, intents }`. Pure and level-triggered: the
 * same call after a trigger, a report, a timer or a crash. Applying the changes and planning again changes nothing more
 * until new evidence comes.
 */
import type { ExecutionId } from "../../kernel/index.ts";
import type { JobType } from "../model/pipeline-config.ts";
import type { FailureReason } from "../model/reasons.ts";
import { isFinalExecution, isFinalRun, isFinalStage, type RunPhase, stageToRun } from "../model/states.ts";
import { Draft } from "./draft.ts";
import type {
  CompletedExecution,
  Evidence,
  FailureView,
  Plan,
  PlanMode,
  PlanOptions,
  RunSnapshot,
} from "./run-snapshot.ts";

/** Maximum number of attempts of a step in place, after attempts that provably began no user command. */
export const maxInPlaceAttempts = 3;

const phaseAtStart = { build: "building", test: "testing", deploy: "deploying" } as const satisfies Record<
  JobType,
  RunPhase
>;
const phaseAtEnd = { build: "built", test: "tested", deploy: "deployed" } as const satisfies Record<
  JobType,
  RunPhase
>;

type Job = Draft["jobs"][number];

export function plan(snapshot: RunSnapshot, evidence: Evidence, options: PlanOptions): Plan {
  if (isFinalRun(snapshot.run.status)) return { changes: null, intents: [] };
  const { mode, parallelLimit, ids } = options;
  const draft = new Draft(snapshot, ids);
  if (!snapshot.run.resolved) {
    planUnresolved(draft, evidence, mode);
    return { changes: draft.changes(), intents: draft.intents };
  }
  recordBegins(draft, evidence);
  const failure = recordEnds(draft, evidence) ?? null;
  const job = draft.jobs.find((candidate) => !isFinalStage(candidate.status));
  if (job === undefined) finishRunFromJobs(draft);
  else planJob(draft, job, { snapshot, failure: snapshot.failure ?? failure, mode, parallelLimit });
  return { changes: draft.changes(), intents: draft.intents };
}

/** Only the owner resolves a run: it may take minutes and needs a network. */
function planUnresolved(draft: Draft, { unresolvable }: Evidence, mode: PlanMode): void {
  if (draft.run.cancelRequested) finishRun(draft, "canceled", "canceled", null);
  else if (unresolvable !== undefined) finishRun(draft, "failed", unresolvable.reason, unresolvable.message);
  else if (mode === "own") draft.intents.push({ kind: "resolve", runId: draft.run.id });
}

function recordBegins(draft: Draft, evidence: Evidence): void {
  for (const { executionId, begunAt } of evidence.begun) {
    const execution = draft.executions.find((candidate) => candidate.id === executionId);
    if (execution?.status === "pending") draft.beginExecution(execution, begunAt);
  }
}

/** Records completed attempts and moves their steps; returns the first failure among them. */
function recordEnds(draft: Draft, evidence: Evidence): FailureView | undefined {
  const ends = new Map<ExecutionId, CompletedExecution>(
    evidence.completed.map((one) => [one.executionId, one]),
  );
  let first: FailureView | undefined;
  for (const execution of draft.executions) {
    const end = ends.get(execution.id);
    if (end === undefined || isFinalExecution(execution.status)) continue;
    const step = draft.steps.find((candidate) => candidate.id === execution.stepId);
    if (step === undefined) continue;
    const { result, outcome } = end;
    if (execution.status === "pending" && (outcome.began || result.state === "succeeded"))
      draft.beginExecution(execution, outcome.begunAt);
    draft.endExecution(execution, result.state, end);
    if (result.state === "succeeded") draft.moveStep(step, "succeeded");
    else if (result.state === "canceled" || neverWill(draft, end)) draft.moveStep(step, "canceled");
    else if (mayRetryInPlace(end, step)) draft.addExecution(step);
    else {
      draft.moveStep(step, "failed");
      first ??= {
        stepName: step.name,
        parallelGroup: step.parallelGroup,
        reason: result.reason,
        message: result.message,
        retry: step.plan.retry,
      };
    }
  }
  return first;
}

/** True for a lost attempt that began nothing in a run to be canceled: the attempt is lost, the step canceled. */
function neverWill(draft: Draft, { result, outcome }: CompletedExecution): boolean {
  return draft.run.cancelRequested && result.state === "lost" && !outcome.began;
}

/** True for a lost attempt that provably began nothing, in a whole workspace. Never a deploy: only a person repeats it. */
function mayRetryInPlace({ result, outcome }: CompletedExecution, step: Draft["steps"][number]): boolean {
  return (
    result.state === "lost" &&
    !outcome.began &&
    outcome.workspaceWhole &&
    step.plan.deploy === null &&
    step.attempts < maxInPlaceAttempts
  );
}

interface JobContext {
  readonly snapshot: RunSnapshot;
  readonly failure: FailureView | null;
  readonly mode: PlanMode;
  readonly parallelLimit: number;
}

function planJob(draft: Draft, job: Job, context: JobContext): void {
  const { snapshot, failure, mode, parallelLimit } = context;
  const canceled = snapshot.anyCanceled || draft.steps.some((step) => step.status === "canceled");
  const isEnding = canceled || draft.run.cancelRequested;
  const pending = draft.steps.filter((step) => step.status === "pending");
  const running = draft.steps.filter((step) => step.status === "running");
  const begunGroup = running[0]?.parallelGroup ?? failure?.parallelGroup ?? null;
  const groupGoesOn = begunGroup !== null && pending[0]?.parallelGroup === begunGroup && !isEnding;
  if (groupGoesOn) {
    if (mode === "own") startSteps(draft, parallelLimit - running.length);
    return;
  }
  if (running.length > 0) {
    if (draft.run.cancelRequested)
      for (const execution of draft.executions)
        if (!isFinalExecution(execution.status))
          draft.intents.push({ kind: "cancel", executionId: execution.id });
    return;
  }
  const stopped = draft.run.cancelRequested && (pending.length > 0 || job.status === "pending");
  if (failure !== null) failJob(draft, job, failure);
  else if (canceled || stopped) cancelJob(draft, job);
  else if (pending.length === 0 && job.status === "running") finishJob(draft, job);
  else if (mode === "own") startJob(draft, job, context);
}

/**
 * The next job's steps are outside this snapshot: reading them would cost every reconcile of the run what three in its
 * life need. The reconcile that follows at once starts them. Nothing is lost between the two: a run with a pending job
 * and nothing live is a state like any other, and the next reconcile, in this process or another, decides the same.
 */
function finishJob(draft: Draft, job: Job): void {
  draft.moveJob(job, "succeeded", null, null);
  draft.moveRunPhase(phaseAtEnd[job.type]);
  draft.intents.push({ kind: "close", jobId: job.id });
  const next = draft.jobs.find((candidate) => !isFinalStage(candidate.status));
  if (next === undefined) finishRun(draft, "succeeded", null, null);
  else if (draft.run.cancelRequested) cancelJob(draft, next);
}

function startJob(draft: Draft, job: Job, { snapshot, parallelLimit }: JobContext): void {
  if (job.type === "deploy" && snapshot.deployBlock !== null) {
    if (snapshot.deployBlock.outcome === "active") return;
    const id = snapshot.deployBlock.deploymentId;
    const message = `the outcome of the earlier deployment ${id} to this release is not known; look at the target, then resolve it with: shipinator deployments resolve ${id} --succeeded|--failed`;
    failJob(draft, job, {
      stepName: "deploy",
      parallelGroup: null,
      reason: "deploy_unknown",
      message,
      retry: null,
    });
    return;
  }
  if (job.status === "pending") draft.moveJob(job, "running", null, null);
  if (draft.run.status === "pending") draft.moveRun("running", null, null);
  draft.moveRunPhase(phaseAtStart[job.type]);
  startSteps(draft, parallelLimit);
}

/**
 * Starts the next step, or as many of its parallel group as the limit allows; those that are left start as others end,
 * also after a failure among them. A job without steps has none, and the next reconcile ends it.
 */
function startSteps(draft: Draft, limit: number): void {
  const pending = draft.steps.filter((step) => step.status === "pending");
  const group = pending[0]?.parallelGroup ?? null;
  const together =
    group === null ? pending.slice(0, 1) : pending.filter((step) => step.parallelGroup === group);
  for (const step of together.slice(0, Math.max(0, limit))) {
    draft.moveStep(step, "running");
    draft.addExecution(step);
  }
}

function failJob(draft: Draft, job: Job, failure: FailureView): void {
  const { reason, retry } = failure;
  const message =
    failure.message === null ? `step ${failure.stepName}` : `step ${failure.stepName}: ${failure.message}`;
  draft.movePendingSteps(job.id, "skipped");
  draft.moveJob(job, "failed", reason, message);
  if (job.status !== "pending") draft.intents.push({ kind: "close", jobId: job.id });
  if (retry?.on.includes(reason) && job.attempt <= retry.max && !draft.run.cancelRequested) {
    draft.addJobAttempt(job);
    return;
  }
  skipRest(draft, "skipped");
  finishRun(draft, "failed", reason, message);
}

function cancelJob(draft: Draft, job: Job): void {
  const opened = job.status === "running";
  draft.movePendingSteps(job.id, "canceled");
  draft.moveJob(job, "canceled", "canceled", null);
  if (opened) draft.intents.push({ kind: "close", jobId: job.id });
  skipRest(draft, "canceled");
  finishRun(draft, "canceled", "canceled", null);
}

function skipRest(draft: Draft, to: "skipped" | "canceled"): void {
  for (const job of draft.jobs) {
    if (isFinalStage(job.status)) continue;
    draft.movePendingSteps(job.id, to);
    draft.moveJob(job, to, null, null);
  }
}

/** Every job is final though the run is not: only a change made outside the planner leaves this behind. */
function finishRunFromJobs(draft: Draft): void {
  const bad = draft.jobs.find((job) => job.status === "failed" || job.status === "canceled");
  if (draft.jobs.length === 0) finishRun(draft, "failed", "internal", "the run has no jobs");
  else if (bad === undefined) finishRun(draft, "succeeded", null, null);
  else if (bad.status === "canceled") finishRun(draft, "canceled", "canceled", null);
  else finishRun(draft, "failed", "internal", `job ${bad.type} had failed before its run was told`);
}

function finishRun(
  draft: Draft,
  to: "succeeded" | "failed" | "canceled",
  reason: FailureReason | null,
  message: string | null,
): void {
  draft.moveRun(stageToRun(to), reason, message);
  draft.intents.push({ kind: "finished", runId: draft.run.id });
}
