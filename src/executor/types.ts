/** The executor interface. See `Executor` for the lifecycle; implementations live in a folder each. */
import type {
  ArtifactMetadata,
  ExecutionSpec,
  ExecutionStatus,
  JobSpec,
  OutputSpec,
  StepPlan,
} from "../domain/index.ts";
import type { ArtifactId, ExecutionId, JobId } from "../kernel/index.ts";

/** Names one attempt at a step. (stepId, attempt) is the identity; the rest says where it lives. */
export interface ExecutionHandle {
  readonly executionId: ExecutionId;
  readonly stepId: ExecutionSpec["stepId"];
  readonly attempt: number;
  readonly jobId: JobId;
  readonly jobAttempt: number;
}

export type CancelCause = "canceled" | "timed_out";

/** A notification that `status` of this execution may have changed. May be missed, repeated or late. */
export interface ExecutorNotification {
  readonly executionId: ExecutionId;
  readonly state: "begun" | "ended";
}

/** A declared output as the executor found it in the workspace, ready to be read once, in order. */
export type FoundOutput =
  | {
      readonly output: OutputSpec;
      readonly kind: "files";
      /** The workspace's root and the matching regular files, relative, sorted, symlinks never followed out of it. */
      readonly root: string;
      readonly files: readonly string[];
      /** True when the pattern named a directory or more than one file: the artifact is one reproducible tar. */
      readonly bundle: boolean;
      /** The uid that each of the files must have; any where it is absent. */
      readonly owner?: number;
    }
  | { readonly output: OutputSpec; readonly kind: "ref"; readonly ref: string }
  | {
      readonly output: OutputSpec;
      /** In the artifact store already, verified: the executor sent it there itself. */
      readonly kind: "stored";
      readonly stored: {
        readonly artifactId: ArtifactId;
        /** Lower-case hex. */
        readonly sha256: string;
        readonly size: number;
        readonly storagePath: string;
        readonly metadata: ArtifactMetadata;
      };
    }
  | {
      readonly output: OutputSpec;
      readonly kind: "missing";
      readonly reason: "artifact_missing" | "artifact_corrupt";
      /** One sentence: what was looked for, what was found instead. */
      readonly message: string;
    };

export interface ClosingJob extends Pick<JobSpec, "jobId" | "attempt"> {
  /** It is proven that nothing was ever submitted in it: then traces of its opening are all there may be. */
  readonly unused?: true;
}

/** Facts about an executor that hold before it is opened. */
export interface ExecutorCapabilities {
  /** Steps run in the image that they name. */
  readonly containers: boolean;
  /** Steps go on while no server runs, and the next one re-attaches to them. */
  readonly survivesServer: boolean;
  /** Steps report to a server, so a command cannot run them by itself. */
  readonly needsServer: boolean;
  /** Logs come by callbacks, and the end of one may be missing. */
  readonly reportsLogs: boolean;
}

/**
 * Carries out attempts. Order: `open(job)` once per job attempt (idempotent: a second call re-attaches to the workspace), then
 * `submit` of its steps, then `close(job)`, which ends whatever a step left running and removes the workspace; it waits
 * until that is proven. Calls for different jobs may run at the same time; calls for one execution are serialized by
 * the caller. Nothing here decides about runs.
 */
export interface Executor extends AsyncDisposable {
  /** `executor_type` in the database: `local`, `remote`, `fake`. */
  readonly type: string;
  /**
   * Null: the job may open now. Else resolves when that is to be asked again: something that its project needs for itself
   * is occupied. A job that will not open after all is closed. Absent: every job may.
   */
  admission?(job: JobSpec): Promise<void> | null;
  /**
   * Makes the workspace of a job attempt: checkout of its source tree, inputs restored and verified.
   * @throws Problem source_unavailable, artifact_missing, artifact_corrupt, storage_failed, executor_failed
   */
  open(job: JobSpec): Promise<void>;
  /**
   * Starts one step in its job's open workspace. The caller has committed the execution before. Idempotent: identity is
   * (stepId, attempt), a second submit re-attaches to the first. Resolves once the start is on its way, not when it has begun.
   * @throws Problem executor_failed and others; nothing of the user's has begun then.
   */
  submit(spec: ExecutionSpec): Promise<void>;
  /** Status as far as it is known; re-attaches after a restart. Never infers "not begun" from absence: it takes the start lock. */
  status(handle: ExecutionHandle): Promise<ExecutionStatus>;
  /**
   * Terminate, grace, kill, prove that nothing is left; before begin it takes the start lock. Idempotent. Resolves when the
   * execution has ended by this or any cause, after which `status` says `ended`; where it runs elsewhere, when that it
   * is to end is written down, and its end comes as any other.
   */
  cancel(handle: ExecutionHandle, cause: CancelCause, graceSeconds: number): Promise<void>;
  /**
   * Looks up the declared outputs of an ended execution in its workspace.
   * @throws the signal's reason on abort
   */
  outputs(
    spec: ExecutionSpec,
    wanted: readonly OutputSpec[],
    signal: AbortSignal,
  ): Promise<readonly FoundOutput[]>;
  close(job: ClosingJob): Promise<void>;
  /**
   * Closes every job attempt (`<job id>.<attempt>`) that has something here and is over. It asks about those that were
   * there before, so a job that opens meanwhile is not touched. Absent: nothing is left behind.
   */
  sweep?(isOver: (key: string) => Promise<boolean>): Promise<readonly string[]>;
  /** Notifications until the signal aborts; correctness comes from `status`. The listener must not throw. */
  watch(signal: AbortSignal, listener: (notification: ExecutorNotification) => void): void;
  /** Parts of the plan that this executor does not carry out (say, `image`), a sentence each; recorded once per step. */
  unsupported(plan: StepPlan): readonly string[];
  /** Why no further execution may be started now (say, the disk is below `min_free_bytes`), or null. */
  unavailableReason(): Promise<string | null>;
}
