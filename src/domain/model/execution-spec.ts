/** The requests to an executor and its replies. Stored as jsonb, so plain data only. */
import type {
  ArtifactId,
  ExecutionId,
  JobId,
  ProjectId,
  RepositoryId,
  RunId,
  StepId,
} from "../../kernel/index.ts";
import type { ArtifactType, CloneConfig, JobType } from "./pipeline-config.ts";
import type { FailureReason } from "./reasons.ts";

/** One declared output of a step. A glob or directory of more than one file becomes one reproducible tar. */
export interface OutputSpec {
  readonly name: string;
  readonly type: ArtifactType;
  readonly path: string | null;
  readonly ref: string | null;
  /** Required outputs must exist after success; test artifacts are kept whether the step passed or not. */
  readonly required: boolean;
}

/** An earlier output that is restored before the step: at `path` in the workspace, or by name in a deploy. */
export interface InputSpec {
  readonly name: string;
  readonly type: ArtifactType;
  /** Declared path of the output, relative to the workspace; null for an image by ref. */
  readonly path: string | null;
}

/** The plan of one step, known when its run is resolved; an attempt adds ids and artifacts (`ExecutionSpec`). */
export interface StepPlan {
  readonly name: string;
  readonly parallelGroup: string | null;
  readonly image: string | null;
  readonly command: string;
  readonly shell: readonly string[] | null;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** A checkout of the run's tree, or nothing but inputs (deploy). */
  readonly source: "tree" | "none";
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly timeoutSeconds: number;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
  /** Retry of the whole job, by reason of the step's failure. */
  readonly retry: { readonly max: number; readonly on: readonly FailureReason[] } | null;
  readonly deploy: DeployPlan | null;
}

export interface DeployPlan {
  readonly target: string;
  readonly namespace: string;
  /** Null where the deploy is a script or a manifest. */
  readonly release: string | null;
  readonly kind: "helm" | "manifest" | "script";
}

/** An artifact that exists, to be restored for an attempt. */
export interface InputArtifact extends InputSpec {
  readonly artifactId: ArtifactId;
  /** Lower-case hex SHA-256 of the payload. */
  readonly sha256: string;
  readonly size: number;
  readonly metadata: ArtifactMetadata;
}

/** The parts of a job attempt that are needed before its first step. */
export interface JobSpec {
  readonly runId: RunId;
  /** Absent in specifications of an earlier version. */
  readonly projectId?: ProjectId;
  readonly jobId: JobId;
  readonly jobType: JobType;
  readonly attempt: number;
  /** The executor of the run; absent in a probe, which is no job of the run. */
  readonly executorType?: string;
  readonly source: SourceSpec | null;
  readonly inputs: readonly InputArtifact[];
  /** Names of the secrets of all steps of the run: each step may print what another has written to a file. */
  readonly runSecrets?: readonly string[];
  /** The steps in order, so that their files can be made beforehand. */
  readonly steps: readonly {
    readonly stepId: StepId;
    readonly name: string;
    readonly parallelGroup: string | null;
    readonly image: string | null;
  }[];
}

/** One tree of one repository: `commit` null where there is no git, `tree` the git tree id in the mirror. */
export interface SourceSpec {
  /** Names the mirror (`mirrorName`). */
  readonly repositoryId: string;
  readonly cloneUrl: string;
  /** The repository whose clone credential git uses; null or absent: git's own configuration. */
  readonly credential?: RepositoryId | null;
  readonly commit: string | null;
  readonly tree: string;
  readonly submodules: boolean;
  /** History and tags of the checkout; null or absent: all of both. */
  readonly clone?: CloneConfig | null;
  /** Files that Git LFS keeps are fetched; null or absent: they stay pointers. */
  readonly lfs?: boolean | null;
}

/** One attempt at a step. Identity is (stepId, attempt): a second submit re-attaches to the first. */
export interface ExecutionSpec extends StepPlan {
  readonly executionId: ExecutionId;
  readonly stepId: StepId;
  readonly attempt: number;
  readonly job: JobSpec;
}

/** An attempt's status at its executor. `unknown`: the executor has no record of it. */
export type ExecutionStatus =
  /** `unsubmitted`: the executor proves that nobody has submitted it. */
  | { readonly state: "unknown"; readonly unsubmitted?: true }
  /** `undelivered`: it is recorded, and may never have been started. */
  | { readonly state: "waiting"; readonly undelivered?: true }
  | { readonly state: "begun"; readonly begunAt: Date }
  | { readonly state: "ended"; readonly outcome: Outcome };

/** The end of an attempt. `began` false proves that no user command started. */
export interface Outcome {
  readonly began: boolean;
  readonly begunAt: Date | null;
  readonly endedAt: Date | null;
  /** Null when the script did not end by itself. 128 + n for signal n. */
  readonly exitCode: number | null;
  /** Null only with exit code 0. */
  readonly reason: FailureReason | null;
  /** One sentence for a person, or null. */
  readonly message: string | null;
  /** True when the workspace can run another attempt; false after user code ran or the workspace vanished. */
  readonly workspaceWhole: boolean;
  readonly logBytes: number;
  /** Bytes over the cap that were not stored. */
  readonly logDropped: number;
  /** The containment that ended the attempt; null: nothing was killed. */
  readonly killedBy: "cgroup" | "freezer" | "session" | null;
}

/** An output that was found, verified and stored; or that was not there. */
export type CollectedOutput =
  | {
      readonly name: string;
      readonly type: ArtifactType;
      readonly found: true;
      readonly artifactId: ArtifactId;
      readonly sha256: string;
      readonly size: number;
      readonly storagePath: string;
      readonly metadata: ArtifactMetadata;
    }
  | {
      readonly name: string;
      readonly type: ArtifactType;
      readonly found: false;
      readonly required: boolean;
      readonly reason: FailureReason;
      /** Why it is not there, for a person. */
      readonly message: string;
    };

/** The form of the payload, for restoring it. Image: the registry's digest. */
export interface ArtifactMetadata {
  /** `file`: the bytes themselves; `tar`: a reproducible tar of `path`; `image_ref`: a JSON note of ref and digest. */
  readonly form: "file" | "tar" | "image_ref";
  /** Path of the one file, or the directory that the names of a tar are relative to. */
  readonly path: string | null;
  /** Permission bits of a file, e.g. 0o755. */
  readonly mode?: number;
  readonly ref?: string;
  /** `sha256:…` from the registry or from the archive. */
  readonly imageDigest?: string;
  readonly files?: number;
}
