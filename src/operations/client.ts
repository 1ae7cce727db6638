/**
 * What can be asked of Shipinator, as one interface: the embedded application implements it now, HTTP will. Answers are
 * plain JSON data in the wire's form: snake_case, times as RFC 3339 strings, ids as text. Errors are `Problem`s.
 */
import type {
  ArtifactMetadata,
  ArtifactType,
  ExecutionState,
  FailureReason,
  JobType,
  RunPhase,
  RunState,
  StageState,
} from "../domain/index.ts";

export interface TriggerRequest {
  /** A directory on this machine (`run PATH`), or a repository's address. */
  readonly source:
    | { readonly kind: "directory"; readonly path: string; readonly ref: string | null }
    | { readonly kind: "repository"; readonly url: string; readonly ref: string | null };
  /** Null: every stage that the file has. */
  readonly only: readonly JobType[] | null;
  /** Who asks: a login name, recorded. */
  readonly by: string;
}

export interface RunAccepted {
  readonly run: RunDetail;
  /** Things a person should know: a dirty tree, an ignored `image`, unfetched submodules. */
  readonly notes: readonly string[];
}

export interface RunSummary {
  readonly id: string;
  readonly number: number;
  readonly project: string;
  readonly pipeline: string;
  readonly pipeline_id: string;
  readonly git_ref: string | null;
  readonly git_sha: string | null;
  readonly dirty: boolean;
  readonly subpath: string | null;
  readonly status: RunState;
  readonly phase: RunPhase;
  readonly trigger: string;
  readonly failure_reason: FailureReason | null;
  readonly failure_message: string | null;
  readonly cancel_requested_at: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

export interface RunDetail extends RunSummary {
  /** Count of recorded transitions included here; `events` after it continues without a gap. */
  readonly seq: number;
  readonly clone_url: string;
  readonly jobs: readonly JobDetail[];
  readonly artifacts: readonly ArtifactDetail[];
}

export interface JobDetail {
  readonly id: string;
  readonly job_type: JobType;
  readonly name: string;
  readonly status: StageState;
  readonly attempt: number;
  readonly failure_reason: FailureReason | null;
  readonly failure_message: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly steps: readonly StepDetail[];
}

export interface StepDetail {
  readonly id: string;
  readonly name: string;
  readonly execution_order: number;
  readonly parallel_group: string | null;
  readonly status: StageState;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly executions: readonly ExecutionDetail[];
}

export interface ExecutionDetail {
  readonly id: string;
  readonly attempt: number;
  readonly executor_type: string;
  readonly status: ExecutionState;
  readonly exit_code: number | null;
  readonly failure_reason: FailureReason | null;
  readonly message: string | null;
  readonly submitted_at: string;
  readonly begun_at: string | null;
  readonly completed_at: string | null;
  readonly log_bytes: number | null;
  readonly log_dropped: number | null;
}

export interface ArtifactDetail {
  readonly id: string;
  readonly name: string;
  readonly artifact_type: ArtifactType;
  readonly job_id: string;
  readonly execution_id: string;
  readonly storage_backend: string;
  readonly storage_path: string;
  /** Lower-case hex SHA-256 of the payload. */
  readonly checksum: string;
  readonly size: number;
  readonly metadata: ArtifactMetadata;
  readonly created_at: string;
}

/** What was brought to a target. `unknown` blocks the release until a person has looked and settled it. */
export interface DeploymentDetail {
  readonly id: string;
  readonly target: string;
  readonly namespace: string;
  readonly release: string | null;
  readonly outcome: "active" | "succeeded" | "failed" | "unknown" | "canceled";
  /** Lower-case hex SHA-256 of the artifacts that were deployed. */
  readonly digests: readonly string[];
  readonly pipeline_run_id: string;
  readonly execution_id: string;
  /** Who settled it; null where it ended by itself. */
  readonly resolved_by: string | null;
  readonly created_at: string;
  readonly finished_at: string | null;
}

/** A recorded transition. */
export interface RunEvent {
  readonly seq: number;
  readonly at: string;
  readonly entity: "run" | "phase" | "job" | "step" | "execution";
  readonly entity_id: string;
  /** Null: the entity was made. */
  readonly from: string | null;
  readonly to: string;
  readonly cause: string;
  readonly evidence: unknown;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; null at the end. */
  readonly next_cursor: string | null;
}

export interface PageRequest {
  readonly limit?: number;
  readonly cursor?: string;
}

export interface RunFilter extends PageRequest {
  readonly project?: string;
  readonly pipeline?: string;
  readonly status?: RunState;
}

export interface LogRequest {
  readonly executionId: string;
  readonly offset: number;
  /** Go on until the execution has ended. */
  readonly follow: boolean;
}

/** A log's next bytes as the step wrote them, and their offset. */
export interface LogChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Client {
  /** Validates, accepts and starts a run. What is found before acceptance is a Problem and makes no run. */
  trigger(request: TriggerRequest, signal: AbortSignal): Promise<RunAccepted>;
  list(filter: RunFilter): Promise<Page<RunSummary>>;
  /** `run`: an id, a unique prefix of one, `#number` or a number (unique on this data directory), or `latest`. */
  get(run: string): Promise<RunDetail>;
  /** Transitions after `seq`, then live ones until the run is final or the signal aborts. */
  events(runId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<RunEvent>;
  log(request: LogRequest, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** The last lines of an execution's log, undecoded. */
  logTail(executionId: string, lines: number): Promise<Uint8Array>;
  cancel(runId: string, by: string): Promise<"requested" | "already" | "final">;
  /** After a cancel: what is still in its grace is killed. Resolves when that is recorded. */
  insist(runId: string): Promise<void>;
  /** By id or unique prefix, or `RUN/NAME`. */
  artifact(reference: string): Promise<ArtifactDetail>;
  /** The payload, verified while it streams: wrong bytes end in a Problem before the last chunk. */
  download(artifactId: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Newest first. */
  deployments(page: PageRequest): Promise<Page<DeploymentDetail>>;
  /**
   * Settles a deployment whose outcome is unknown; its run stays as it ended. `deployment`: an id or a unique prefix.
   * @throws Problem conflict where the outcome is known
   */
  resolveDeployment(
    deployment: string,
    outcome: "succeeded" | "failed",
    by: string,
  ): Promise<DeploymentDetail>;
  /** Runs on this data directory that are not final and that nobody carries. */
  abandoned(): Promise<readonly RunSummary[]>;
  /** Takes an abandoned run over and carries it to its end; follow it by `events`. */
  resume(runId: string): Promise<void>;
}
