/** The parts of a run that its retry reuses: stages that had succeeded, with their artifacts. */
import type { JobType } from "../../domain/index.ts";
import { type ArtifactId, Problem, type RunId } from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";

export interface Reused {
  /** Stages that are not run again. */
  readonly stages: readonly JobType[];
  readonly artifacts: readonly ArtifactId[];
}

// The locks keep the purge from the old run, and the expiry from its artifacts, until the new run is accepted.
const reuseSql = `
with source as materialized (
  select r.id from pipeline_runs r where r.id = $2::uuid for share
),
found as materialized (
  select a.id
  from artifacts a
  where a.id = any ($3::uuid[]) and a.expired_at is null and exists (select from source)
  for share
)
insert into reused_artifacts (pipeline_run_id, artifact_id)
select $1::uuid, f.id from found f`;

/**
 * Records the reused artifacts, in the transaction that accepts the run.
 * @throws Problem gone: some of them have expired
 */
export async function reuse(
  transaction: Queryable,
  id: RunId,
  from: RunId,
  { artifacts }: Reused,
): Promise<void> {
  if (artifacts.length === 0) return;
  if ((await transaction.execute(reuseSql, [id, from, artifacts])) === artifacts.length) return;
  throw goneMeanwhile(from);
}

export function goneMeanwhile(run: RunId, names: readonly string[] = [], title: string = run): Problem {
  const what = names.length === 0 ? "An artifact" : names.join(", ");
  return new Problem("gone", `${what} of run ${title} has expired and cannot be reused.`, {
    remedy: `Run it whole: shipinator retry ${run}`,
  });
}
