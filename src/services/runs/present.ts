/** Rows as wire data: snake_case as they are, times as RFC 3339. */

import type {
  ArtifactDetail,
  DeploymentDetail,
  ExecutionDetail,
  JobDetail,
  RunDetail,
  RunEvent,
  RunSummary,
  StepDetail,
} from "../../contract/index.ts";
import { unusedImage } from "../../domain/index.ts";
import type {
  ArtifactRow,
  DeploymentRow,
  ExecutionRow,
  JobRow,
  RunRow,
  RunSummaryRows,
  StepRow,
  TransitionRow,
} from "../../store/index.ts";
import type { ServiceDeps } from "../deps.ts";

const iso = (time: Date | null): string | null => time?.toISOString() ?? null;

export function presentRun(run: RunRow): RunSummary {
  return {
    id: run.id,
    number: run.number,
    project: run.project,
    pipeline: run.pipeline,
    pipeline_id: run.pipeline_id,
    git_ref: run.git_ref,
    git_sha: run.git_sha,
    dirty: run.dirty,
    subpath: run.subpath,
    status: run.status,
    phase: run.phase,
    cause: { kind: run.cause_kind, actor: run.cause_actor, delivery: run.cause_delivery },
    failure_reason: run.failure_reason,
    failure_message: run.failure_message,
    cancel_requested_at: iso(run.cancel_requested_at),
    retried_from: run.retried_from,
    created_at: run.created_at.toISOString(),
    started_at: iso(run.started_at),
    finished_at: iso(run.finished_at),
  };
}

type ByJob = ReadonlyMap<string, readonly StepRow[]>;
type ByStep = ReadonlyMap<string, readonly ExecutionRow[]>;

export function presentDetail(deps: CapabilitiesDeps, rows: RunSummaryRows): RunDetail {
  const steps: ByJob = Map.groupBy(rows.steps, (step) => step.job_id);
  const executions: ByStep = Map.groupBy(rows.executions, (execution) => execution.job_step_id);
  return {
    ...presentRun(rows.run),
    seq: rows.run.seq,
    clone_url: rows.run.clone_url,
    jobs: rows.jobs.map((job) => presentJob(job, steps, executions)),
    artifacts: rows.artifacts.map(presentArtifact),
    notes: imageNotes(deps, rows.run, rows.namedImages),
  };
}

/** Presents a run without jobs. */
export function presentNew(deps: CapabilitiesDeps, run: RunRow): RunDetail {
  return presentDetail(deps, { run, jobs: [], steps: [], executions: [], artifacts: [], namedImages: [] });
}

type CapabilitiesDeps = Pick<ServiceDeps, "capabilitiesOf">;

/** Notes on images that the run's executor does not use. */
export const imageNotes = (
  { capabilitiesOf }: CapabilitiesDeps,
  run: Pick<RunRow, "executor_type">,
  images: RunSummaryRows["namedImages"],
): readonly string[] =>
  capabilitiesOf(run.executor_type).containers
    ? []
    : images.map(({ step, image }) => `step ${step}: ${unusedImage(image)}`);

function presentJob(job: JobRow, steps: ByJob, executions: ByStep): JobDetail {
  return {
    id: job.id,
    job_type: job.job_type,
    name: job.name,
    status: job.status,
    attempt: job.attempt,
    failure_reason: job.failure_reason,
    failure_message: job.failure_message,
    created_at: job.created_at.toISOString(),
    started_at: iso(job.started_at),
    finished_at: iso(job.finished_at),
    steps: (steps.get(job.id) ?? []).map((step) => presentStep(step, executions.get(step.id) ?? [])),
  };
}

function presentStep(step: StepRow, executions: readonly ExecutionRow[]): StepDetail {
  return {
    id: step.id,
    name: step.name,
    execution_order: step.execution_order,
    parallel_group: step.parallel_group,
    status: step.status,
    started_at: iso(step.started_at),
    finished_at: iso(step.finished_at),
    executions: executions.map(presentExecution),
  };
}

function presentExecution(execution: ExecutionRow): ExecutionDetail {
  return {
    id: execution.id,
    attempt: execution.attempt,
    executor_type: execution.executor_type,
    status: execution.status,
    exit_code: execution.exit_code,
    failure_reason: execution.failure_reason,
    message: execution.message,
    submitted_at: execution.submitted_at.toISOString(),
    begun_at: iso(execution.begun_at),
    completed_at: iso(execution.completed_at),
    log_bytes: execution.log_bytes,
    log_dropped: execution.log_dropped,
  };
}

export function presentArtifact(artifact: ArtifactRow): ArtifactDetail {
  const { expired_at: _expired, created_at, ...rest } = artifact;
  return { ...rest, created_at: created_at.toISOString() };
}

export function presentDeployment(row: DeploymentRow): DeploymentDetail {
  const { created_at, finished_at, ...rest } = row;
  return { ...rest, created_at: created_at.toISOString(), finished_at: iso(finished_at) };
}

export function presentEvent(row: TransitionRow): RunEvent {
  return {
    seq: row.seq,
    at: row.at.toISOString(),
    entity: row.entity,
    entity_id: row.entity_id,
    from: row.from_state,
    to: row.to_state,
    cause: row.cause,
    evidence: row.evidence,
  };
}
