/** What a person's retry takes over of the run that it repeats: stages that had succeeded, with all that they had made. */
import type { JobType } from "../../domain/index.ts";
import { type ArtifactId, Problem, type RunId } from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";

export interface Adopted {
  /** They are not run again. */
  readonly stages: readonly JobType[];
  readonly artifacts: readonly ArtifactId[];
}

// The old run's row is held against the purge, and the artifacts' against their expiry, until the new run is in.
const adoptSql = `
with source as materialized (
  select r.id from pipeline_runs r where r.id = $2::uuid for share
),
found as materialized (
  select a.id
  from artifacts a
  where a.id = any ($3::uuid[]) and a.expired_at is null and exists (select from source)
  for share
)
insert into adopted_artifacts (pipeline_run_id, artifact_id)
select $1::uuid, f.id from found f`;

/**
 * In the transaction that makes the run.
 * @throws Problem gone: not all of it is there any more
 */
export async function adopt(
  transaction: Queryable,
  id: RunId,
  from: RunId,
  { artifacts }: Adopted,
): Promise<void> {
  if (artifacts.length === 0) return;
  if ((await transaction.execute(adoptSql, [id, from, artifacts])) === artifacts.length) return;
  throw goneMeanwhile(from);
}

export function goneMeanwhile(run: RunId, names: readonly string[] = [], title: string = run): Problem {
  const what = names.length === 0 ? "something" : names.join(", ");
  return new Problem(
    "gone",
    `${what} of what succeeded in run ${title} has expired and cannot be taken over`,
    {
      remedy: `Run it whole: shipinator retry ${run}`,
    },
  );
}
