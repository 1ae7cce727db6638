/**
 * A run as it was last heard of: a `RunDetail`, moved on by events. Events carry states and times; executions, exit
 * statuses and reasons come with the next detail, so a step says whether what is known of it is complete.
 */
import { isFinalExecution, isFinalStage, jobTypes, type StageState } from "../../domain/index.ts";
import type { ExecutionDetail, JobDetail, RunDetail, RunEvent, StepDetail } from "../../services/index.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface WatchedStep {
  readonly job: JobDetail;
  readonly step: StepDetail;
  /** `build/compile`; of a further attempt of the job `build#2/compile`. */
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
  /** Seq of the last event that was not in the detail, by step id. */
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

  /** In the order in which they run: build, test, deploy, the attempts of each, their steps. */
  get steps(): readonly WatchedStep[] {
    return this.#steps;
  }

  /** Something was heard of that the detail does not know yet. */
  get stale(): boolean {
    return this.#stale;
  }

  /** Takes a newer detail over; an older one changes nothing. */
  replace(detail: RunDetail): void {
    if (detail.seq < this.#run.seq) return;
    this.#detailSeq = detail.seq;
    this.#stale = false;
    this.#byId.clear();
    this.#executions.clear();
    this.#changed.clear();
    const jobs = sortJobs(detail.jobs).map((job) => this.#adopt(job));
    this.#run = { ...detail, jobs: jobs.map(({ job }) => job) };
    this.#steps = jobs.flatMap(({ steps }) => steps);
  }

  /** Returns the step it concerns, or null. An event that is in the detail already changes nothing. */
  apply(event: RunEvent): WatchedStep | null {
    if (event.seq <= this.#run.seq) return null;
    this.#run.seq = event.seq;
    if (event.entity === "run") this.#applyRun(event);
    else if (event.entity === "phase") this.#run.phase = event.to as RunDetail["phase"];
    else if (event.entity === "execution") this.#applyExecution(event);
    else return this.#applyStage(event);
    return null;
  }

  /** Whether all that was heard of the step is in the detail: its executions, and how they ended. */
  isComplete({ step }: WatchedStep): boolean {
    const behind = this.#stale || (this.#changed.get(step.id) ?? 0) > this.#detailSeq;
    if (!behind) return step.status !== "running" || step.executions.length > 0;
    return step.status === "skipped" || (step.status === "succeeded" && step.executions.length === 1);
  }

  #adopt(detail: JobDetail): { readonly job: JobDetail; readonly steps: readonly WatchedStep[] } {
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
