/** What the remote executor is given: the memory of what was reported, and a way to have a step started elsewhere. */
import type {
  ArtifactMetadata,
  CloseReason,
  ExecutionSpec,
  FinalReport,
  FinalStatus,
  JobSpec,
  StopCause,
} from "../../domain/index.ts";
import type { ArtifactId, ExecutionId, JobId } from "../../kernel/index.ts";

/** What is recorded of an attempt that was handed out. */
export interface Report {
  readonly execution_id: ExecutionId;
  readonly launched_at: Date | null;
  readonly claimed_at: Date | null;
  readonly begun_at: Date | null;
  readonly stop_cause: StopCause | null;
  readonly final_status: FinalStatus | null;
  readonly report: FinalReport | null;
  readonly reported_at: Date | null;
  readonly closed_reason: CloseReason | null;
  readonly closed_at: Date | null;
  /** Bytes of its log that have come, where the server masks it and so keeps fewer; else null. */
  readonly log_received: number | null;
  /** Milliseconds by the database's clock. */
  readonly age_ms: number;
  readonly silent_ms: number;
}

export interface Upload {
  readonly name: string;
  readonly artifact_id: ArtifactId;
  /** Lower-case hex SHA-256. */
  readonly checksum: string;
  readonly size: number;
  readonly storage_path: string;
  readonly metadata: ArtifactMetadata;
}

/** Each change is one compare-and-set. */
export interface Reports {
  get(id: ExecutionId): Promise<Report | null>;
  /** Adopts what is there. */
  submit(spec: ExecutionSpec): Promise<Report>;
  markLaunched(id: ExecutionId): Promise<void>;
  /** What nobody has claimed ends at once. */
  requestStop(id: ExecutionId, cause: StopCause, graceSeconds: number): Promise<unknown>;
  close(id: ExecutionId, reason: CloseReason, when: "unclaimed" | "unreported"): Promise<boolean>;
  closeJob(job: JobId, attempt: number): Promise<void>;
  uploads(id: ExecutionId): Promise<readonly Upload[]>;
}

/** What whoever starts steps elsewhere is told. */
export interface LaunchOrder {
  readonly spec: ExecutionSpec;
}

export interface Launcher {
  /**
   * Has an executor started for the attempt. May be asked twice for one attempt: of two executors one claims it.
   * @throws Problem executor_failed
   */
  launch(order: LaunchOrder): Promise<void>;
  /** The job is over: what was kept for its steps may go. May be asked twice. @throws Problem executor_failed */
  release(job: Pick<JobSpec, "jobId" | "attempt">): Promise<void>;
}
