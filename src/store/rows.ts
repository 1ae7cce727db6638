/** The rows as they are read: the database's column names, times as Dates, ids branded. */
import type {
  ArtifactMetadata,
  ArtifactType,
  CauseKind,
  DeploymentOutcome,
  ExecutionState,
  FailureReason,
  JobType,
  PipelineConfig,
  RunPhase,
  RunState,
  Scope,
  StageState,
  StepPlan,
  TriggerType,
  VcsProvider,
} from "../domain/index.ts";
import type {
  ArtifactId,
  DeploymentId,
  ExecutionId,
  InstanceId,
  JobId,
  PipelineId,
  ProjectId,
  RepositoryId,
  RunId,
  StepId,
  TokenId,
} from "../kernel/index.ts";

export interface ProjectRow {
  readonly id: ProjectId;
  readonly name: string;
  readonly description: string;
  /** Null: it is there. Else it was removed then, and stays for its runs. */
  readonly archived_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface RepositoryRow {
  readonly id: RepositoryId;
  readonly project_id: ProjectId;
  readonly vcs_provider: VcsProvider;
  readonly clone_url: string;
  readonly default_branch: string | null;
  /** Name of the project's secret for Git; null: none, so Git uses its own configuration. */
  readonly clone_secret: string | null;
  readonly account_access: boolean;
  readonly clone_username: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** A token without its secret, which is stored nowhere. */
export interface TokenRow {
  readonly id: TokenId;
  readonly name: string;
  readonly scope: Scope;
  /** Null: all projects. */
  readonly project_id: ProjectId | null;
  /** Its name. */
  readonly project: string | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

export interface AuditRow {
  readonly id: string;
  readonly created_at: Date;
  readonly by_name: string;
  readonly token_id: TokenId | null;
  readonly action: string;
  readonly project_id: ProjectId | null;
  readonly entity_id: string | null;
  readonly outcome: "done" | "refused" | "failed";
  readonly request_id: string | null;
}

export interface PipelineRow {
  readonly id: PipelineId;
  readonly repository_id: RepositoryId;
  readonly name: string;
  readonly trigger_type: TriggerType;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** A pipeline, with the names of what it belongs to. */
export interface PipelineSummaryRow extends PipelineRow {
  /** Null: it is there. Else it was removed then, and stays for its runs. */
  readonly archived_at: Date | null;
  readonly project_id: ProjectId;
  readonly project: string;
  readonly clone_url: string;
  readonly default_branch: string | null;
  readonly clone_secret: string | null;
  readonly account_access: boolean;
}

export interface PipelineConfigRow {
  readonly digest: string;
  readonly config: PipelineConfig;
  readonly created_at: Date;
}

/** A run, with the names of what it belongs to. */
export interface RunRow {
  readonly id: RunId;
  readonly pipeline_id: PipelineId;
  readonly pipeline: string;
  readonly repository_id: RepositoryId;
  readonly clone_url: string;
  readonly default_branch: string | null;
  readonly clone_secret: string | null;
  readonly account_access: boolean;
  readonly project_id: ProjectId;
  readonly project: string;
  readonly number: number;
  readonly git_ref: string | null;
  readonly git_sha: string | null;
  readonly tree: string | null;
  readonly subpath: string | null;
  readonly dirty: boolean;
  readonly branch: string | null;
  readonly tag: string | null;
  readonly status: RunState;
  readonly phase: RunPhase;
  readonly cause_kind: CauseKind;
  readonly cause_actor: string;
  readonly cause_delivery: string | null;
  readonly requested_stages: readonly JobType[] | null;
  /** Taken over of the run that it repeats, and not run again. */
  readonly reused_stages: readonly JobType[];
  readonly executor_type: string;
  readonly config_digest: string | null;
  readonly failure_reason: FailureReason | null;
  readonly failure_message: string | null;
  readonly cancel_requested_at: Date | null;
  readonly cancel_requested_by: string | null;
  readonly retried_from: RunId | null;
  readonly owner_id: InstanceId | null;
  readonly owner_epoch: number | null;
  readonly seq: number;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

export interface JobRow {
  readonly id: JobId;
  readonly pipeline_run_id: RunId;
  readonly job_type: JobType;
  readonly name: string;
  readonly status: StageState;
  readonly attempt: number;
  readonly failure_reason: FailureReason | null;
  readonly failure_message: string | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

/** A step without its plan, which may be large; `StepStore.plan` reads that. */
export interface StepRow {
  readonly id: StepId;
  readonly job_id: JobId;
  readonly name: string;
  readonly execution_order: number;
  readonly parallel_group: string | null;
  readonly status: StageState;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

export interface StepWithPlanRow extends StepRow {
  readonly plan: StepPlan;
}

export interface ExecutionRow {
  readonly id: ExecutionId;
  readonly job_step_id: StepId;
  readonly pipeline_run_id: RunId;
  readonly attempt: number;
  readonly executor_type: string;
  readonly external_id: string | null;
  readonly status: ExecutionState;
  readonly instance_id: InstanceId | null;
  readonly epoch: number | null;
  readonly submitted_at: Date;
  readonly not_before: Date | null;
  readonly ready_at: Date | null;
  readonly begun_at: Date | null;
  readonly completed_at: Date | null;
  readonly exit_code: number | null;
  readonly failure_reason: FailureReason | null;
  readonly message: string | null;
  readonly logs_ref: string | null;
  readonly log_bytes: number | null;
  readonly log_dropped: number | null;
  readonly kill_strategy: "cgroup" | "freezer" | "session" | null;
}

export interface ArtifactRow {
  readonly id: ArtifactId;
  readonly job_id: JobId;
  readonly execution_id: ExecutionId;
  readonly name: string;
  readonly artifact_type: ArtifactType;
  readonly storage_backend: string;
  readonly storage_path: string;
  /** Lower-case hex SHA-256 of the payload. */
  readonly checksum: string;
  readonly size: number;
  readonly metadata: ArtifactMetadata;
  readonly created_at: Date;
  readonly expired_at: Date | null;
}

export interface TransitionRow {
  readonly run_id: RunId;
  readonly seq: number;
  readonly entity: "run" | "phase" | "job" | "step" | "execution";
  readonly entity_id: string;
  /** Null: the entity was made. Equal to `to_state`: recorded, moved nothing (a cancel request, a takeover). */
  readonly from_state: string | null;
  readonly to_state: string;
  readonly cause: string;
  readonly evidence: unknown;
  readonly at: Date;
}

export interface InstanceRow {
  readonly id: InstanceId;
  readonly data_directory: string;
  readonly host: string;
  readonly boot_id: string;
  readonly pid_namespace: string;
  readonly pid: number;
  readonly pid_start_time: string;
  readonly epoch: number;
  /** Moves with every renewal of the lease. */
  readonly renewals: number;
  readonly lease_until: Date;
  readonly away_until: Date | null;
  readonly started_at: Date;
  readonly ended_at: Date | null;
}

export interface DeploymentRow {
  readonly id: DeploymentId;
  readonly target: string;
  readonly namespace: string;
  readonly release: string | null;
  readonly digests: readonly string[];
  readonly pipeline_run_id: RunId;
  readonly project: string;
  readonly pipeline: string;
  readonly number: number;
  readonly execution_id: ExecutionId;
  readonly outcome: DeploymentOutcome;
  readonly resolved_by: string | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
}
