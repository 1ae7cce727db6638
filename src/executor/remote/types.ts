/** Ports of the remote executor: the record of what was reported, and the launcher that starts agents elsewhere. */
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
import type { ExecutionHandle } from "../types.ts";

/** Record of an attempt that was handed out. */
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
  /** Re-attaches to what is there. */
  submit(spec: ExecutionSpec): Promise<Report>;
  markLaunched(id: ExecutionId): Promise<void>;
  /** Ends an unclaimed attempt at once. */
  requestStop(id: ExecutionId, cause: StopCause, graceSeconds: number): Promise<unknown>;
  close(id: ExecutionId, reason: CloseReason, when: "unclaimed" | "unreported"): Promise<boolean>;
  closeJob(job: JobId, attempt: number): Promise<void>;
  uploads(id: ExecutionId): Promise<readonly Upload[]>;
}

/**
 * Starts agents elsewhere. It learns of a job with all of its steps before the first of them, so it may start one place
 * for the whole job or one for each step. Attempts, logs, outputs and ends come by callback: a launcher decides nothing
 * about them. Every call may come twice, and after a restart from another process, so a launcher keeps its state where it
 * starts things.
 * @throws Problem executor_failed
 */
export interface Launcher {
  /** Resolves once the job may have its steps submitted. */
  openJob(job: JobSpec): Promise<void>;
  /** Has an agent claim the attempt. Of two agents one claims it. */
  submit(spec: ExecutionSpec): Promise<void>;
  /** Learns that the attempt is to end. Its agent learns so by itself, with its next heartbeat. */
  cancel(handle: ExecutionHandle, cause: StopCause, graceSeconds: number): Promise<void>;
  /** Removes all that is left of the job, which is over. */
  closeJob(job: Pick<JobSpec, "jobId" | "attempt">): Promise<void>;
}
