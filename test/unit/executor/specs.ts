import type { ExecutionSpec, JobSpec } from "../../../src/domain/index.ts";
import type { ExecutionHandle } from "../../../src/executor/index.ts";
import { newId } from "../../../src/kernel/index.ts";

export function jobOf(over: Partial<JobSpec> = {}): JobSpec {
  return {
    runId: newId(),
    jobId: newId(),
    jobType: "build",
    attempt: 1,
    source: {
      repositoryId: "r",
      cloneUrl: "file:///r",
      commit: null,
      tree: "0".repeat(40),
      submodules: false,
    },
    inputs: [],
    steps: [],
    ...over,
  };
}

export function specOf(job: JobSpec, command: string, over: Partial<ExecutionSpec> = {}): ExecutionSpec {
  return {
    executionId: newId(),
    stepId: newId(),
    attempt: 1,
    job,
    name: "step",
    parallelGroup: null,
    image: null,
    command,
    shell: null,
    env: {},
    secrets: [],
    source: job.source === null ? "none" : "tree",
    inputs: [],
    outputs: [],
    timeoutSeconds: 3_600,
    graceSeconds: 5,
    retry: null,
    deploy: null,
    ...over,
  };
}

export function handleOf(spec: ExecutionSpec): ExecutionHandle {
  return {
    executionId: spec.executionId,
    stepId: spec.stepId,
    attempt: spec.attempt,
    jobId: spec.job.jobId,
    jobAttempt: spec.job.attempt,
  };
}
