/** Counts of unfinished work for metrics. Only unfinished rows are read, so the length of the history does not matter. */
import type { Database } from "../db/database.ts";

export interface Statistics {
  readonly pending_runs: number;
  readonly running_runs: number;
  /** Executions that wait for a slot, and seconds that the oldest has waited. */
  readonly queued: number;
  readonly oldest_seconds: number;
}

export async function readStatistics(database: Database): Promise<Statistics> {
  const [row] = await database.query<Statistics>(
    `select r.pending_runs, r.running_runs, q.queued, q.oldest_seconds
     from (
       select count(*) filter (where r.status = 'pending')::integer as pending_runs,
         count(*) filter (where r.status = 'running')::integer as running_runs
       from pipeline_runs r
       where r.status in ('pending', 'running')
     ) r
     cross join (
       select count(*)::integer as queued,
         coalesce(extract(epoch from now() - min(e.ready_at)), 0)::double precision as oldest_seconds
       from executions e
       where e.status = 'pending' and e.instance_id is null and e.ready_at is not null
     ) q`,
    [],
    { name: "statistics" },
  );
  if (row === undefined) throw new TypeError("a select without from gave no row");
  return row;
}
