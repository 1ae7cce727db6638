/**
 * The validated `.shipinator.yaml` with defaults applied. This form is stored once by digest, and the inators plan from
 * it. All times are seconds.
 */
import type { RetryableReason } from "./reasons.ts";

export const jobTypes = ["build", "test", "deploy"] as const;
export type JobType = (typeof jobTypes)[number];

export const outputTypes = ["binary", "oci_image", "helm_chart", "manifest"] as const;
export type OutputType = (typeof outputTypes)[number];
export const testArtifactTypes = ["coverage", "test_report"] as const;
export type TestArtifactType = (typeof testArtifactTypes)[number];
export const artifactTypes = [...outputTypes, ...testArtifactTypes] as const;
export type ArtifactType = OutputType | TestArtifactType;

export interface OutputConfig {
  /** Unique in the file; `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 128 characters. */
  readonly name: string;
  readonly type: ArtifactType;
  /** Relative to the workspace: a file, a directory or a glob. Exactly one of `path` and `ref` is not null. */
  readonly path: string | null;
  /** An image that a step pushed to a registry; may hold template variables. */
  readonly ref: string | null;
}

export interface RetryConfig {
  /** Further attempts after the first, 1 to 10. */
  readonly max: number;
  readonly on: readonly RetryableReason[];
}

export interface StepConfig {
  readonly name: string;
  readonly run: string;
  /** The interpreter and its arguments; null is `sh -e`. The script's path is appended. */
  readonly shell: readonly string[] | null;
  readonly image: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly retry: RetryConfig | null;
  readonly secrets: readonly string[];
  /** Steps of one group are adjacent and run together; null is sequential. `parallel: true` gets a generated name. */
  readonly parallelGroup: string | null;
  readonly outputs: readonly OutputConfig[];
}

export interface StageConfig {
  readonly steps: readonly StepConfig[];
}

export interface DeployConfig {
  /** Name of the output to deploy; null only where `run` is given. */
  readonly artifact: string | null;
  readonly artifactType: OutputType | null;
  readonly target: string;
  readonly namespace: string;
  /** Helm release name; default: the pipeline's name. May hold template variables. */
  readonly release: string | null;
  readonly run: string | null;
  readonly shell: readonly string[] | null;
  readonly image: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly secrets: readonly string[];
}

export interface PipelineConfig {
  readonly build: StageConfig | null;
  readonly test: StageConfig | null;
  readonly deploy: DeployConfig | null;
  /** Fetch submodules at checkout. */
  readonly submodules: boolean;
  /** Fetch the files that Git LFS keeps; absent: no. */
  readonly lfs?: boolean;
  /** Absent where the file does not say: all of the history, with its tags. */
  readonly clone?: CloneConfig;
}

/** The part of the commit's history that a checkout shows. */
export interface CloneConfig {
  /** Commits of each line of history, from the run's own on; null: all. */
  readonly depth: number | null;
  /** True: with the tags that point into that part. */
  readonly tags: boolean;
}

/** The values of template variables; `branch` and `tag` are empty where the ref is not one. */
export interface TemplateVariables {
  readonly commit: string;
  readonly short_commit: string;
  readonly ref: string;
  readonly branch: string;
  readonly tag: string;
  readonly run_id: string;
  readonly run_number: string;
  readonly pipeline: string;
}
export const templateVariableNames = [
  "commit",
  "short_commit",
  "ref",
  "branch",
  "tag",
  "run_id",
  "run_number",
  "pipeline",
] as const satisfies readonly (keyof TemplateVariables)[];
