/**
 * The data that goes in and out of operations, in the wire's form: snake_case, times as RFC 3339 strings, ids as text.
 * REST, RPC, the command line and the embedded application speak in these words.
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
} from "../../domain/index.ts";

export interface TriggerRequest {
  /** A directory on this machine (`run PATH`), or a repository's address. */
  readonly source:
    | { readonly kind: "directory"; readonly path: string; readonly ref: string | null }
    | { readonly kind: "repository"; readonly url: string; readonly ref: string | null }
    | {
        /** A registered pipeline: accepted at once, resolved afterwards (`validate_now`: before it is accepted). */
        readonly kind: "pipeline";
        /** Its id, or `[PROJECT/]PIPELINE` where that is unique for the caller. */
        readonly pipeline: string;
        /** Null: the default branch. */
        readonly ref: string | null;
        /** Full commit id; `ref` is then its label. */
        readonly sha: string | null;
        readonly validate: "now" | "later";
      };
  /** The id that the run gets; a fresh one by default. Asked twice with one id, one run is made. */
  readonly id?: string | undefined;
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
  /** The run that this one repeats. */
  readonly retried_from: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

/** A run without its jobs, and how much of its history is recorded. */
export interface RunHead extends RunSummary {
  /** Of the last transition. */
  readonly seq: number;
}

/** Why a run is where it is: one sentence, and the causes behind it as data. */
export interface RunWhy {
  readonly run_id: string;
  readonly status: RunState;
  readonly phase: RunPhase;
  readonly summary: string;
  readonly causes: readonly RunCause[];
  /** As of the run itself. */
  readonly notes: readonly string[];
}

export interface RunCause {
  readonly code:
    | "resolving"
    | "waiting_for_slot"
    | "waiting_for_space"
    | "waiting_for_release"
    | "step_running"
    | "canceling"
    | "owner_away"
    | "owner_gone"
    | "failed"
    | "canceled"
    | "succeeded";
  readonly message: string;
  /** What it is about: a step, a deployment, a node. */
  readonly entity: string | null;
  readonly entity_id: string | null;
  readonly since: string | null;
  /** The lines of a failed step's log that say what failed, then the last ones; `…` stands for lines left out. */
  readonly excerpt?: readonly string[];
}

export interface RunDetail extends RunSummary {
  /** Count of recorded transitions included here; `events` after it continues without a gap. */
  readonly seq: number;
  readonly clone_url: string;
  readonly jobs: readonly JobDetail[];
  readonly artifacts: readonly ArtifactDetail[];
  /** What a person must know of the run, a sentence each: an image that was not used. */
  readonly notes: readonly string[];
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
  /** Of the run. */
  readonly project: string;
  readonly pipeline: string;
  readonly number: number;
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
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface RunFilter extends PageRequest {
  /** Name, exact. */
  readonly project?: string | undefined;
  /** `[PROJECT/]PIPELINE`. */
  readonly pipeline?: string | undefined;
  readonly pipeline_id?: string | undefined;
  readonly status?: RunState | undefined;
  /** Exact, as recorded (`refs/heads/main`) or its short name. */
  readonly ref?: string | undefined;
  readonly sha?: string | undefined;
  /** RFC 3339: accepted at or after. */
  readonly since?: string | undefined;
}
