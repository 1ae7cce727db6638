/** Facts that a reconcile reads out of a run snapshot and its changes. */
import { type ChangeSet, type ExecutionView, isFinalStage, type RunSnapshot } from "../../domain/index.ts";
import type { Release } from "../../store/index.ts";
import type { Subject } from "../types.ts";

export function subjectOf({ run, jobs, steps }: RunSnapshot, execution: ExecutionView): Subject | null {
  const step = steps.find((candidate) => candidate.id === execution.stepId);
  const job = jobs.find((candidate) => !isFinalStage(candidate.status));
  return step === undefined || job === undefined ? null : { runId: run.id, job, step, execution };
}

/** The release whose deploy job the changes end, also a job that only waited for it; null: they end none. */
export function endedDeploy({ jobs, steps }: RunSnapshot, changes: ChangeSet): Release | null {
  const deploy = steps.find((step) => step.plan.deploy !== null)?.plan.deploy;
  if (deploy == null || deploy.release === null) return null;
  const job = jobs.find((candidate) => candidate.type === "deploy");
  const end = changes.jobs.find((change) => change.id === job?.id)?.path.at(-1);
  return end !== undefined && isFinalStage(end) ? { ...deploy, release: deploy.release } : null;
}

/** True when a job moved and no execution was made: the steps that follow are outside the snapshot. */
export function startsOtherSteps({ jobs, newJobs, newExecutions }: ChangeSet): boolean {
  return newExecutions.length === 0 && jobs.length + newJobs.length > 0;
}
