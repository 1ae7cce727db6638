/** A run in memory that a test moves on step by step, as a `Client` shows it. */
import type { FailureReason, JobType, RunState, StageState } from "../../../../src/domain/index.ts";
import type { Clock } from "../../../../src/kernel/index.ts";
import { newId, Problem, type RunId } from "../../../../src/kernel/index.ts";
import type { ArtifactDetail, RunDetail, RunEvent } from "../../../../src/services/index.ts";

type Deep<T> = T extends readonly (infer U)[]
  ? Deep<U>[]
  : T extends object
    ? { -readonly [K in keyof T]: Deep<T[K]> }
    : T;
type Run = Deep<RunDetail>;
type Job = Run["jobs"][number];
type Step = Job["steps"][number];

export type StepShape = string | { readonly name: string; readonly group: string };
export type RunShape = Partial<Record<JobType, readonly StepShape[]>>;

export interface EndOptions {
  readonly exit?: number;
  readonly reason?: FailureReason;
  readonly message?: string;
}

export interface FakeLog {
  readonly chunks: Uint8Array[];
  ended: boolean;
  readonly times: { readonly offset: number; readonly at: string }[];
}

export class FakeRun {
  readonly detail: Run;
  readonly events: RunEvent[] = [];
  readonly logs = new Map<string, FakeLog>();
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(shape: RunShape, clock: Clock, options: Partial<Run> = {}) {
    this.#clock = clock;
    const at = this.#now();
    const jobs: Job[] = (["build", "test", "deploy"] as const).flatMap((type) => {
      const steps = shape[type];
      return steps === undefined ? [] : [this.#job(type, 1, steps)];
    });
    this.detail = {
      id: newId<RunId>(),
      number: 12,
      project: "hello",
      pipeline: "hello",
      pipeline_id: "p",
      git_ref: "refs/heads/main",
      git_sha: "1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d5e6f1a2b",
      dirty: false,
      subpath: null,
      status: "pending",
      phase: "submitted",
      cause: { kind: "manual", actor: "ada", delivery: null },
      failure_reason: null,
      failure_message: null,
      cancel_requested_at: null,
      retried_from: null,
      created_at: at,
      started_at: null,
      finished_at: null,
      seq: 1,
      clone_url: "/home/ada/hello",
      jobs,
      artifacts: [],
      notes: [],
      ...options,
    };
  }

  #now(): string {
    return this.#clock.now().toISOString();
  }

  #job(type: JobType, attempt: number, steps: readonly StepShape[]): Job {
    return {
      id: newId(),
      job_type: type,
      name: type,
      status: "pending",
      attempt,
      failure_reason: null,
      failure_message: null,
      created_at: this.#now(),
      started_at: null,
      finished_at: null,
      steps: steps.map((step, index) => ({
        id: newId(),
        name: typeof step === "string" ? step : step.name,
        execution_order: index + 1,
        parallel_group: typeof step === "string" ? null : step.group,
        status: "pending",
        started_at: null,
        finished_at: null,
        executions: [],
      })),
    };
  }

  /** Adds a further attempt of a stage, all steps pending. */
  retry(type: JobType): void {
    const last = this.detail.jobs.findLast((job) => job.job_type === type);
    if (last === undefined) throw new Error(`no ${type}`);
    const shape = last.steps.map(({ name, parallel_group: group }) =>
      group === null ? name : { name, group },
    );
    const job = this.#job(type, last.attempt + 1, shape);
    this.detail.jobs.splice(this.detail.jobs.indexOf(last) + 1, 0, job);
    this.#record("job", job.id, null, "pending");
  }

  #find(path: string): { job: Job; step: Step } {
    const [stage, name] = path.split("/");
    const job = this.detail.jobs.findLast((one) => one.name === stage);
    const step = job?.steps.find((one) => one.name === name);
    if (job === undefined || step === undefined) throw new Error(`no step ${path}`);
    return { job, step };
  }

  #record(entity: RunEvent["entity"], id: string, from: string | null, to: string): void {
    this.detail.seq += 1;
    this.events.push({
      seq: this.detail.seq,
      at: this.#now(),
      entity,
      entity_id: id,
      from,
      to,
      cause: "test",
      evidence: {},
    });
    for (const wake of this.#waiting) wake();
  }

  #move(entity: "job" | "step", what: Job | Step, to: StageState): void {
    const from = what.status;
    what.status = to;
    if (to === "running") what.started_at = this.#now();
    else what.finished_at = this.#now();
    this.#record(entity, what.id, from, to);
  }

  start(path: string): void {
    const { job, step } = this.#find(path);
    if (this.detail.status === "pending") this.moveRun("running");
    if (job.status === "pending") this.#move("job", job, "running");
    this.#move("step", step, "running");
    const id = newId();
    step.executions.push({
      id,
      attempt: step.executions.length + 1,
      executor_type: "fake",
      status: "running",
      exit_code: null,
      failure_reason: null,
      message: null,
      submitted_at: this.#now(),
      begun_at: this.#now(),
      completed_at: null,
      log_bytes: null,
      log_dropped: null,
    });
    this.logs.set(id, { chunks: [], ended: false, times: [] });
    this.#record("execution", id, null, "pending");
    this.#record("execution", id, "pending", "running");
  }

  log(path: string, text: string | Uint8Array): void {
    const { step } = this.#find(path);
    const log = this.logs.get(step.executions.at(-1)?.id ?? "");
    log?.chunks.push(typeof text === "string" ? Buffer.from(text) : text);
    for (const wake of this.#waiting) wake();
  }

  end(path: string, options: EndOptions = {}): void {
    const { step } = this.#find(path);
    const failed = options.reason !== undefined;
    const to = options.reason === "canceled" ? "canceled" : failed ? "failed" : "succeeded";
    const execution = step.executions.at(-1);
    if (execution === undefined) throw new Error(`${path} has not started`);
    const log = this.logs.get(execution.id);
    if (log !== undefined) log.ended = true;
    Object.assign(execution, {
      status: to,
      exit_code: options.exit ?? (failed ? null : 0),
      failure_reason: options.reason ?? null,
      message: options.message ?? null,
      completed_at: this.#now(),
      log_bytes: log?.chunks.reduce((sum, { length }) => sum + length, 0) ?? 0,
      log_dropped: 0,
    });
    this.#record("execution", execution.id, "running", to);
    this.#move("step", step, to);
  }

  /** Starts a step, lets it write and ends it. */
  step(path: string, text = "", options: EndOptions = {}): void {
    this.start(path);
    if (text !== "") this.log(path, text);
    this.end(path, options);
  }

  endJob(type: JobType, to: "succeeded" | "failed" | "canceled", reason: FailureReason | null = null): void {
    const job = this.detail.jobs.findLast((one) => one.job_type === type);
    if (job === undefined) throw new Error(`no ${type}`);
    for (const step of job.steps)
      if (step.status === "pending") this.#move("step", step, to === "canceled" ? "canceled" : "skipped");
    job.failure_reason = reason;
    this.#move("job", job, to);
  }

  moveRun(to: RunState, reason: FailureReason | null = null): void {
    const from = this.detail.status;
    this.detail.status = to;
    this.detail.failure_reason = reason;
    if (to === "running") this.detail.started_at = this.#now();
    else this.detail.finished_at = this.#now();
    this.#record("run", this.detail.id, from, to);
  }

  artifact(stage: JobType, name: string, shape: Partial<Deep<ArtifactDetail>> = {}): ArtifactDetail {
    const job = this.detail.jobs.findLast((one) => one.job_type === stage);
    const id = newId();
    const artifact: Deep<ArtifactDetail> = {
      id,
      name,
      artifact_type: "binary",
      job_id: job?.id ?? "",
      execution_id: "",
      storage_backend: "fs",
      storage_path: `/data/artifacts/${id}/payload`,
      checksum: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      size: 2048,
      metadata: { form: "file", path: `bin/${name}`, mode: 0o755 },
      created_at: this.#now(),
      ...shape,
    };
    this.detail.artifacts.push(artifact);
    return artifact;
  }

  /** Resolves at the next change, or when the signal aborts. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
      if (signal.aborted) done();
    });
  }

  get isFinal(): boolean {
    return !["pending", "running"].includes(this.detail.status);
  }

  snapshot(): RunDetail {
    return structuredClone(this.detail);
  }

  logOf(executionId: string): FakeLog {
    const log = this.logs.get(executionId);
    if (log === undefined) throw new Problem("not_found", `no execution ${executionId}`);
    return log;
  }
}
