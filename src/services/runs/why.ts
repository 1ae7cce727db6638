/** Why a run is where it is: one sentence, and what stands behind it as data. Looks, and changes nothing. */

import type { RunCause, RunWhy } from "../../contract/index.ts";
import { type FailureReason, isFinalRun, isFinalStage, retryableReasons } from "../../domain/index.ts";
import { Problem, type RunId } from "../../kernel/index.ts";
import { resolveDeadlineMs } from "../../orchestrator/index.ts";
import type { ExecutionUnderWay, InstanceRow, JobRow, RunRow } from "../../store/index.ts";
import type { ServiceDeps } from "../deps.ts";
import { excerptLines, excerptOf, tailBytes } from "./excerpt.ts";
import { imageNotes } from "./present.ts";

export async function explain(deps: ServiceDeps, runId: RunId): Promise<RunWhy> {
  const { store } = await deps.database();
  const run = await store.runs.get(runId);
  if (run === null) throw new Problem("not_found", `there is no run ${runId}`);
  const causes = isFinalRun(run.status)
    ? [{ ...endOf(run), ...(await excerptOfFailed(deps, run)) }]
    : await causesOf(deps, run);
  const summary = causes.map(({ message }) => message).join("; ");
  const notes = imageNotes(deps, run, await store.runs.namedImages(run.id));
  return { run_id: run.id, status: run.status, phase: run.phase, summary, causes, notes };
}

function endOf(run: RunRow): RunCause {
  const since = run.finished_at?.toISOString() ?? null;
  const about = { entity: "run", entity_id: run.id, since };
  if (run.status === "success") return { code: "succeeded", message: "every stage succeeded", ...about };
  if (run.status === "canceled")
    return { code: "canceled", message: `${run.cancel_requested_by ?? "somebody"} canceled it`, ...about };
  const reason = run.failure_reason ?? "internal";
  const said = run.failure_message === null ? "" : `: ${run.failure_message}`;
  return { code: "failed", message: `${reason}${said} (${adviceOf(reason)})`, ...about };
}

/** Excerpts the log of the step that failed first. */
async function excerptOfFailed(deps: ServiceDeps, run: RunRow): Promise<Pick<RunCause, "excerpt">> {
  const { store } = await deps.database();
  const failed = run.status === "failed" ? await store.executions.firstFailed(run.id) : null;
  if (failed === null) return {};
  return { excerpt: excerptOf(await deps.logs.tail(failed, excerptLines, tailBytes)) };
}

function adviceOf(reason: FailureReason): string {
  if (reason === "script_failed") return "the script's own matter";
  if (reason === "deploy_unknown") return "somebody must look at the target before it is tried again";
  if (reason === "config_invalid") return "the pipeline file's matter: a retry fails alike";
  if (reason === "source_unavailable")
    return "see that the server reaches the repository and that it has the ref, then retry";
  return retryableReasons.some((one) => one === reason)
    ? "the surroundings' matter: a retry may help"
    : "see the log";
}

/** A run of thousands of steps is explained by so many of them. */
const maxSteps = 20;

async function causesOf(deps: ServiceDeps, run: RunRow): Promise<readonly RunCause[]> {
  const { store } = await deps.database();
  const causes = [...(await ownerCauses(deps, run))];
  if (run.cancel_requested_at !== null)
    causes.push({
      code: "canceling",
      message: `${run.cancel_requested_by ?? "somebody"} has canceled it, and what still runs is being ended`,
      entity: "run",
      entity_id: run.id,
      since: run.cancel_requested_at.toISOString(),
    });
  const jobs = await store.jobs.ofRun(run.id);
  if (run.config_digest === null && jobs.length === 0) return [...causes, await resolving(deps, run)];
  causes.push(...(await stepCauses(deps, run)));
  return causes.length > 0 ? causes : [await nothingRuns(deps, run, jobs)];
}

async function stepCauses(deps: ServiceDeps, run: RunRow): Promise<readonly RunCause[]> {
  const { store, orchestrator } = await deps.database();
  const underWay = await store.executions.underWay(run.id, maxSteps);
  const waits = underWay.some(({ instance_id }) => instance_id === null);
  const unavailableReason = waits ? await deps.unavailableReason() : null;
  const causes = underWay.map((execution) =>
    orchestrator.waitsForAccount(execution.id)
      ? accountCause(execution)
      : stepCause(execution, unavailableReason),
  );
  const more = (underWay[0]?.all ?? 0) - causes.length;
  const limited = causes.length === 0 ? [] : await limitCauses(deps, run);
  if (more === 0) return [...causes, ...limited];
  return [
    ...causes,
    ...limited,
    {
      code: waits ? "waiting_for_slot" : "step_running",
      message: `and ${more} more ${more === 1 ? "step" : "steps"}`,
      entity: "run",
      entity_id: run.id,
      since: null,
    },
  ];
}

/** Steps of a parallel group that start as others of it end. */
async function limitCauses(deps: ServiceDeps, run: RunRow): Promise<readonly RunCause[]> {
  const { store } = await deps.database();
  const steps = (await store.runs.snapshot(run.id))?.steps ?? [];
  const running = steps.find(({ status, parallelGroup }) => status === "running" && parallelGroup !== null);
  const waiting = steps.filter(
    ({ status, parallelGroup }) => status === "pending" && parallelGroup === running?.parallelGroup,
  );
  if (running === undefined || waiting.length === 0) return [];
  const message = `${waiting.length} more of the parallel group wait until others of it have ended (parallel_limit)`;
  return [{ code: "waiting_for_slot", message, entity: "run", entity_id: run.id, since: null }];
}

function accountCause({ step_id, step_name, submitted_at }: ExecutionUnderWay): RunCause {
  return {
    code: "waiting_for_slot",
    message: `step ${step_name} waits for an account of local.users: other projects occupy all of them`,
    entity: "step",
    entity_id: step_id,
    since: submitted_at.toISOString(),
  };
}

async function ownerCauses(deps: ServiceDeps, run: RunRow): Promise<readonly RunCause[]> {
  const { store } = await deps.database();
  const instance = run.owner_id === null ? null : await store.instances.get(run.owner_id);
  const gone = instance === null || instance.ended_at !== null || instance.epoch !== run.owner_epoch;
  if (!gone && deps.isAlive(instance)) return [];
  const entity = { entity: "node", entity_id: run.owner_id };
  if (!gone && isAway(instance, deps.clock.now()))
    return [
      {
        code: "owner_away",
        message: "the server that carries it is being restarted; what runs goes on meanwhile",
        ...entity,
        since: null,
      },
    ];
  return [
    {
      code: "owner_gone",
      message: "the process that carried it is gone; another takes it over, or: shipinator resume",
      ...entity,
      since: instance?.ended_at?.toISOString() ?? null,
    },
  ];
}

export function isAway(instance: Pick<InstanceRow, "ended_at" | "away_until">, now: Date): boolean {
  return instance.ended_at === null && instance.away_until !== null && instance.away_until > now;
}

async function resolving(deps: ServiceDeps, run: RunRow): Promise<RunCause> {
  const { orchestrator } = await deps.database();
  const error = orchestrator.resolveError(run.id);
  const message =
    error === null
      ? "its commit and pipeline file are being looked up"
      : `its repository could not be read and is tried again for up to ${resolveDeadlineMs / 60_000} minutes: ${error}`;
  return {
    code: "resolving",
    message,
    entity: "run",
    entity_id: run.id,
    since: run.created_at.toISOString(),
  };
}

function stepCause(execution: ExecutionUnderWay, unavailableReason: string | null): RunCause {
  const about = { entity: "step", entity_id: execution.step_id };
  const step = { name: execution.step_name };
  if (execution.instance_id !== null)
    return {
      code: "step_running",
      message: `step ${step.name} is running`,
      ...about,
      since: (execution.begun_at ?? execution.submitted_at).toISOString(),
    };
  const since = execution.submitted_at.toISOString();
  if (unavailableReason !== null)
    return {
      code: "waiting_for_space",
      message: `step ${step.name} waits: ${unavailableReason}`,
      ...about,
      since,
    };
  return { code: "waiting_for_slot", message: `step ${step.name} waits for a free slot`, ...about, since };
}

/** Nothing is under way: either the next advance is due, or a deploy waits for its release. */
async function nothingRuns(deps: ServiceDeps, run: RunRow, jobs: readonly JobRow[]): Promise<RunCause> {
  const { store } = await deps.database();
  const snapshot = await store.runs.snapshot(run.id);
  const block = snapshot?.deployBlock ?? null;
  if (block !== null)
    return {
      code: "waiting_for_release",
      message: `another run's deployment (${block.deploymentId}) holds the release that it is to deploy to`,
      entity: "deployment",
      entity_id: block.deploymentId,
      since: null,
    };
  const next = jobs.find(({ status }) => !isFinalStage(status));
  return {
    code: "step_running",
    message: next === undefined ? "it is about to end" : `the ${next.job_type} stage is about to go on`,
    entity: "run",
    entity_id: run.id,
    since: null,
  };
}
