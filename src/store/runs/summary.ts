/** A run with its jobs, steps, executions and artifacts, as of one moment, as clients show it. */
import type { RunId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import { artifactsOfRunSql } from "../executions/artifacts.ts";
import { executionsOfRunSql } from "../executions/executions.ts";
import { jobsOfRunSql } from "../executions/jobs.ts";
import { stepsOfRunSql } from "../executions/steps.ts";
import type { ArtifactRow, ExecutionRow, JobRow, RunRow, StepRow } from "../rows.ts";
import { runColumns, runTables } from "./run-columns.ts";

export interface RunSummaryRows {
  readonly run: RunRow;
  /** All attempts, in the order build, test, deploy and by attempt. */
  readonly jobs: readonly JobRow[];
  /** By job and order. */
  readonly steps: readonly StepRow[];
  /** By step and attempt. */
  readonly executions: readonly ExecutionRow[];
  readonly artifacts: readonly ArtifactRow[];
  readonly namedImages: readonly NamedImageRow[];
}

const listed = (sql: string) => `coalesce((select json_agg(one) from (${sql}) one), '[]'::json)`;

/** Images that steps name, each step's once. A step that could not start has its own words. */
const namedImagesSql = `
select distinct s.name as step, s.plan ->> 'image' as image
from pipeline_runs r
join jobs j on j.pipeline_run_id = r.id
join job_steps s on s.job_id = j.id
where r.id = $1::uuid and s.plan ->> 'image' is not null
  and not exists (select from executions e where e.job_step_id = s.id and e.failure_reason = 'start_failed')
order by step
limit 20`;

export interface NamedImageRow {
  readonly step: string;
  readonly image: string;
}

export const readNamedImages = (database: Database, id: RunId): Promise<readonly NamedImageRow[]> =>
  database.query<NamedImageRow>(namedImagesSql, [id]);

// One statement is one snapshot, so that `run.seq` counts exactly the transitions that the rows show; and one round trip,
// because every reader of a run asks for it.
const summarySql = `
select
  (select to_json(one) from (select ${runColumns} from ${runTables} where row.id = $1::uuid) one) as run,
  ${listed(jobsOfRunSql)} as jobs,
  ${listed(stepsOfRunSql)} as steps,
  ${listed(executionsOfRunSql)} as executions,
  ${listed(artifactsOfRunSql)} as artifacts,
  ${listed(namedImagesSql)} as "namedImages"`;

type Written<Row> = { readonly [Key in keyof Row]: Row[Key] extends Date | null ? string | null : Row[Key] };

interface SummaryRow {
  readonly run: Written<RunRow> | null;
  readonly jobs: readonly Written<JobRow>[];
  readonly steps: readonly Written<StepRow>[];
  readonly executions: readonly Written<ExecutionRow>[];
  readonly artifacts: readonly Written<ArtifactRow>[];
  readonly namedImages: readonly NamedImageRow[];
}

export async function readSummary(database: Database, id: RunId): Promise<RunSummaryRows | null> {
  const [row] = await database.query<SummaryRow>(summarySql, [id], { name: "runs.summary" });
  if (row === undefined || row.run === null) return null;
  return {
    run: revive<RunRow>(row.run, ["cancel_requested_at", "created_at", "started_at", "finished_at"]),
    jobs: row.jobs.map((job) => revive<JobRow>(job, ["created_at", "started_at", "finished_at"])),
    steps: row.steps.map((step) => revive<StepRow>(step, ["created_at", "started_at", "finished_at"])),
    executions: row.executions.map((one) =>
      revive<ExecutionRow>(one, ["submitted_at", "not_before", "ready_at", "begun_at", "completed_at"]),
    ),
    artifacts: row.artifacts.map((one) => revive<ArtifactRow>(one, ["created_at", "expired_at"])),
    namedImages: row.namedImages,
  };
}

type TimeOf<Row> = { [Key in keyof Row]: Row[Key] extends Date | null ? Key : never }[keyof Row];

/** The row with its times as Dates: JSON has none. */
function revive<Row>(written: Written<Row>, times: readonly TimeOf<Row>[]): Row {
  const found: Record<PropertyKey, unknown> = { ...written };
  for (const time of times) {
    const text = found[time];
    if (typeof text === "string") found[time] = new Date(text);
  }
  return rowOf<Row>(found);
}

/** The author of the SQL answers for its type, as for every row. */
const rowOf = <Row>(value: unknown): Row => value as Row;
