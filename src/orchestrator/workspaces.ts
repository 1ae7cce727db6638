/** Opens each job attempt's workspace once per process, and assembles what an executor needs to know of the job. */
import {
  type ExecutionSpec,
  type ExecutionView,
  type InputArtifact,
  type InputSpec,
  type JobSpec,
  type JobView,
  mirrorName,
  type SourceSpec,
  type StepPlan,
  type StepView,
} from "../domain/index.ts";
import { type JobId, Problem, type RunId } from "../kernel/index.ts";
import type { ArtifactRow } from "../store/index.ts";
import type { OrchestratorDeps } from "./types.ts";

export interface Workspaces {
  /** The spec of an attempt in its job's workspace, opened when it is not. */
  open(runId: RunId, job: JobView, step: StepView, execution: ExecutionView): Promise<ExecutionSpec>;
  /** The same without touching the workspace: for an attempt that may already run there. */
  describe(runId: RunId, job: JobView, step: StepView, execution: ExecutionView): Promise<ExecutionSpec>;
  close(job: JobView): Promise<void>;
}

export function createWorkspaces(deps: OrchestratorDeps): Workspaces {
  const specs = new Map<JobId, Promise<JobSpec>>();
  const opened = new Map<JobId, Promise<void>>();

  function specOf(runId: RunId, job: JobView, plan: StepPlan): Promise<JobSpec> {
    let spec = specs.get(job.id);
    if (spec === undefined) {
      spec = describeJob(deps, runId, job, plan);
      specs.set(job.id, spec);
      spec.catch(() => specs.delete(job.id));
    }
    return spec;
  }

  return {
    async describe(runId, job, step, execution) {
      return executionSpec(await specOf(runId, job, step.plan), step, execution);
    },
    async open(runId, job, step, execution) {
      const spec = await specOf(runId, job, step.plan);
      let opening = opened.get(job.id);
      if (opening === undefined) {
        opening = deps.executor.open(spec);
        opened.set(job.id, opening);
        opening.catch(() => opened.delete(job.id));
      }
      await opening;
      return executionSpec(spec, step, execution);
    },
    async close(job) {
      await opened.get(job.id)?.catch(() => undefined);
      await deps.executor.close({ jobId: job.id, attempt: job.attempt });
      specs.delete(job.id);
      opened.delete(job.id);
    },
  };
}

function executionSpec(job: JobSpec, step: StepView, execution: ExecutionView): ExecutionSpec {
  return { ...step.plan, executionId: execution.id, stepId: step.id, attempt: execution.attempt, job };
}

async function describeJob(
  deps: OrchestratorDeps,
  runId: RunId,
  job: JobView,
  plan: StepPlan,
): Promise<JobSpec> {
  const [source, steps, artifacts] = await Promise.all([
    plan.source === "tree" ? sourceOf(deps, runId) : null,
    deps.store.steps.ofJob(job.id),
    plan.inputs.length === 0 ? [] : deps.store.artifacts.ofRun(runId),
  ]);
  return {
    runId,
    jobId: job.id,
    jobType: job.type,
    attempt: job.attempt,
    source,
    inputs: plan.inputs.flatMap((input) => inputArtifact(input, artifacts, job)),
    steps: steps.map((step) => ({ stepId: step.id, name: step.name, parallelGroup: step.parallel_group })),
  };
}

/** The newest artifact of that name. A test runs without what was not built; a deploy does not. */
function inputArtifact(input: InputSpec, artifacts: readonly ArtifactRow[], job: JobView): InputArtifact[] {
  const artifact = artifacts.findLast((candidate) => candidate.name === input.name);
  if (artifact === undefined && job.type === "deploy")
    throw new Problem(
      "artifact_missing",
      `the artifact ${input.name} of this run does not exist, so nothing was deployed`,
    );
  if (artifact === undefined) return [];
  const { id: artifactId, checksum: sha256, size, metadata } = artifact;
  return [{ ...input, artifactId, sha256, size, metadata }];
}

async function sourceOf({ store }: OrchestratorDeps, runId: RunId): Promise<SourceSpec> {
  const run = await store.runs.get(runId);
  if (run === null || run.tree === null)
    throw new Problem("internal", `run ${runId} has no tree to check out`);
  const config = run.config_digest === null ? null : await store.pipelines.config(run.config_digest);
  return {
    repositoryId: mirrorName(run.clone_url),
    cloneUrl: run.clone_url,
    commit: run.git_sha,
    tree: run.tree,
    submodules: config?.config.submodules ?? false,
  };
}
