/**
 * The known state of a run: a `RunDetail`, updated by events. Events contain only states and times. Executions, exit
 * statuses and reasons come with the next detail, so the model knows which steps are incomplete.
 */
import { isFinalExecution, isFinalStage, jobTypes, type StageState } from "../../domain/index.ts";
import type { ExecutionDetail, JobDetail, RunDetail, RunEvent, StepDetail } from "../../services/index.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface WatchedStep {
  readonly job: JobDetail;
  readonly step: StepDetail;
  /** `build/compile`, or `build#2/compile` for the second attempt of the job. */
  readonly label: string;
}

export class RunModel {
  #run: Mutable<RunDetail>;
  #steps: readonly WatchedStep[] = [];
  readonly #byId = new Map<
    string,
    { readonly entity: Mutable<JobDetail | StepDetail>; readonly step: WatchedStep | null }
  >();
  readonly #executions = new Map<string, Mutable<ExecutionDetail>>();
  /** Seq of the last event after the detail, by step id. */
  readonly #changed = new Map<string, number>();
  #detailSeq = 0;
  #stale = false;

  constructor(detail: RunDetail) {
    this.#run = { ...detail };
    this.replace(detail);
  }

  get run(): RunDetail {
    return this.#run;
  }

  /** Steps in execution order: by stage, attempt and step. */
  get steps(): readonly WatchedStep[] {
    return this.#steps;
  }

  /** True after an event for an entity that is not in the detail. */
  get stale(): boolean {
    return this.#stale;
  }

  /** Replaces the detail, unless it is older. */
  replace(detail: RunDetail): void {
    if (detail.seq < this.#run.seq) return;
    this.#detailSeq = detail.seq;
    this.#stale = false;
    this.#byId.clear();
    this.#executions.clear();
    this.#changed.clear();
    const jobs = sortJobs(detail.jobs).map((job) => this.#indexJob(job));
    this.#run = { ...detail, jobs: jobs.map(({ job }) => job) };
    this.#steps = jobs.flatMap(({ steps }) => steps);
  }

  /** Applies an event that is newer than the detail. @returns the affected step, or null */
  apply(event: RunEvent): WatchedStep | null {
    if (event.seq <= this.#run.seq) return null;
    this.#run.seq = event.seq;
    if (event.entity === "run") this.#applyRun(event);
    else if (event.entity === "phase") this.#run.phase = event.to as RunDetail["phase"];
    else if (event.entity === "execution") this.#applyExecution(event);
    else return this.#applyStage(event);
    return null;
  }

  /** Tests whether the detail contains the executions of the step and their results. */
  isComplete({ step }: WatchedStep): boolean {
    const behind = this.#stale || (this.#changed.get(step.id) ?? 0) > this.#detailSeq;
    if (!behind) return step.status !== "running" || step.executions.length > 0;
    return step.status === "skipped" || (step.status === "succeeded" && step.executions.length === 1);
  }

  #indexJob(detail: JobDetail): { readonly job: JobDetail; readonly steps: readonly WatchedStep[] } {
    const job: Mutable<JobDetail> = { ...detail };
    this.#byId.set(job.id, { entity: job, step: null });
    const prefix = job.attempt > 1 ? `${job.name}#${job.attempt}` : job.name;
    const ordered = detail.steps.toSorted((a, b) => a.execution_order - b.execution_order);
    const steps = ordered.map((one) => {
      const executions = one.executions.map((execution) => ({ ...execution }));
      for (const execution of executions) this.#executions.set(execution.id, execution);
      const step: Mutable<StepDetail> = { ...one, executions };
      const watched = { job, step, label: `${prefix}/${step.name}` };
      this.#byId.set(step.id, { entity: step, step: watched });
      return watched;
    });
    job.steps = steps.map(({ step }) => step);
    return { job, steps };
  }

  #applyRun(event: RunEvent): void {
    this.#run.status = event.to as RunDetail["status"];
    if (this.#run.status === "running") this.#run.started_at ??= event.at;
    else if (this.#run.status !== "pending") this.#run.finished_at = event.at;
  }

  #applyExecution(event: RunEvent): void {
    const execution = this.#executions.get(event.entity_id);
    if (execution === undefined) {
      this.#stale = true;
      return;
    }
    execution.status = event.to as ExecutionDetail["status"];
    if (execution.status === "running") execution.begun_at ??= event.at;
    else if (isFinalExecution(execution.status)) execution.completed_at = event.at;
  }

  #applyStage(event: RunEvent): WatchedStep | null {
    const known = this.#byId.get(event.entity_id);
    if (known === undefined) {
      this.#stale = true;
      return null;
    }
    known.entity.status = event.to as StageState;
    if (known.entity.status === "running") known.entity.started_at ??= event.at;
    else if (isFinalStage(known.entity.status)) known.entity.finished_at = event.at;
    this.#changed.set(event.entity_id, event.seq);
    return known.step;
  }
}

function sortJobs(jobs: readonly JobDetail[]): readonly JobDetail[] {
  const rank = (job: JobDetail) => jobTypes.indexOf(job.job_type);
  return jobs.toSorted((a, b) => rank(a) - rank(b) || a.attempt - b.attempt);
}
