/** Opens each job attempt's workspace once per process, and assembles what an executor needs to know of the job. */
import type {
  ExecutionSpec,
  ExecutionView,
  InputArtifact,
  JobSpec,
  JobView,
  StepView,
} from "../domain/index.ts";
import { type JobId, Problem, type RunId } from "../kernel/index.ts";
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

  function specOf(runId: RunId, job: JobView): Promise<JobSpec> {
    let spec = specs.get(job.id);
    if (spec === undefined) {
      spec = describeJob(deps, runId, job);
      specs.set(job.id, spec);
      spec.catch(() => specs.delete(job.id));
    }
    return spec;
  }

  return {
    async describe(runId, job, step, execution) {
      return executionSpec(await specOf(runId, job), step, execution);
    },
    async open(runId, job, step, execution) {
      const spec = await specOf(runId, job);
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

async function describeJob({ store }: OrchestratorDeps, runId: RunId, job: JobView): Promise<JobSpec> {
  const [source, steps, artifacts] = await Promise.all([
    store.runs.source(runId),
    store.steps.ofJob(job.id),
    job.type === "build" ? [] : store.artifacts.ofRun(runId),
  ]);
  const plans = steps.map((step) => step.plan);
  const wanted = plans[0]?.inputs ?? [];
  const inputs = wanted.flatMap((input): InputArtifact[] => {
    const artifact = artifacts.find((candidate) => candidate.name === input.name);
    if (artifact === undefined) return [];
    const { id: artifactId, checksum: sha256, size, metadata } = artifact;
    return [{ ...input, artifactId, sha256, size, metadata }];
  });
  const absent = wanted.find((input) => !inputs.some((one) => one.name === input.name));
  if (job.type === "deploy" && absent !== undefined)
    throw new Problem(
      "artifact_missing",
      `the artifact ${absent.name} of this run does not exist, so nothing was deployed`,
    );
  return {
    runId,
    jobId: job.id,
    jobType: job.type,
    attempt: job.attempt,
    source: plans[0]?.source === "tree" ? source : null,
    inputs,
    steps: steps.map(({ id: stepId, name, parallelGroup }) => ({ stepId, name, parallelGroup })),
  };
}
