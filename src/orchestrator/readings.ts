/** What an advance reads out of a snapshot, a decision, and where runs stand. */
import { type ChangeSet, type ExecutionView, isFinalStage, type Snapshot } from "../domain/index.ts";
import type { RunId } from "../kernel/index.ts";
import type { RunStanding } from "../store/index.ts";
import type { Subject } from "./types.ts";

/**
 * The runs at which a look may find something: all but those that rest, at the seq at which they do. What is claimed and
 * in nobody's care is of a claim whose answer was lost.
 */
export function dueRuns(
  carried: ReadonlyMap<RunId, { readonly restsAt: number | null }>,
  standings: readonly RunStanding[],
): readonly RunId[] {
  const where = new Map(standings.map((standing) => [standing.id, standing]));
  return [...carried].flatMap(([runId, { restsAt }]) => {
    const found = where.get(runId);
    return restsAt !== null && found?.seq === restsAt && !found.claimed ? [] : [runId];
  });
}

export function subjectOf({ run, jobs, steps }: Snapshot, execution: ExecutionView): Subject | null {
  const step = steps.find((candidate) => candidate.id === execution.stepId);
  const job = jobs.find((candidate) => !isFinalStage(candidate.status));
  return step === undefined || job === undefined ? null : { runId: run.id, job, step, execution };
}

/** The release that the active job deploys to; null when it deploys nothing. */
export function releaseOf({ steps }: Snapshot): string | null {
  const deploy = steps.find((step) => step.plan.deploy !== null)?.plan.deploy ?? null;
  return deploy === null ? null : JSON.stringify([deploy.target, deploy.namespace, deploy.release]);
}

/** A job moved and nothing was started: what follows was outside the frontier. */
export function turnsToOtherSteps({ jobs, newJobs, newExecutions }: ChangeSet): boolean {
  return newExecutions.length === 0 && jobs.length + newJobs.length > 0;
}
