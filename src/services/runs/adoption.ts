/** Chooses the stages that a retry reuses. The transaction that creates the run verifies that their artifacts still exist. */
import { type JobType, jobTypes, testArtifactTypes } from "../../domain/index.ts";
import { goneMeanwhile, type Reused, type RunSummaryRows } from "../../store/index.ts";
import { runName } from "./references.ts";

export interface Remainder {
  readonly adopted: Reused;
  /** The stages that have not succeeded, in order. */
  readonly stages: readonly JobType[];
}

/**
 * Artifacts of attempts that failed are left behind, and so are reports that have expired: nothing stands on them.
 * @throws Problem gone: an output of the build has expired
 */
export function remainderOf({ run, jobs, artifacts }: RunSummaryRows): Remainder {
  const newest = new Map(
    jobs.toSorted((a, b) => a.attempt - b.attempt).map((job) => [job.job_type, job] as const),
  );
  const succeeded = new Set(run.reused_stages);
  for (const job of newest.values()) if (job.status === "succeeded") succeeded.add(job.job_type);
  const own = new Map(jobs.map((job) => [job.id, job]));
  const wanted = artifacts.filter(({ job_id }) => {
    const job = own.get(job_id);
    // Of no job of this run: it had been taken over before.
    return job === undefined || (job.status === "succeeded" && newest.get(job.job_type)?.id === job.id);
  });
  const expired = wanted.filter(({ expired_at }) => expired_at !== null);
  const missed = expired.filter(({ artifact_type }) =>
    testArtifactTypes.every((one) => one !== artifact_type),
  );
  if (missed.length > 0)
    throw goneMeanwhile(
      run.id,
      missed.map(({ name }) => name),
      runName(run),
    );
  return {
    adopted: {
      stages: jobTypes.filter((stage) => succeeded.has(stage)),
      artifacts: wanted.filter(({ expired_at }) => expired_at === null).map(({ id }) => id),
    },
    stages: jobTypes.filter((stage) => newest.has(stage) && !succeeded.has(stage)),
  };
}
