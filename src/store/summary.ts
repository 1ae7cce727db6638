/** A run with all that belongs to it, as of one moment: what a client shows. */
import type { RunId } from "../kernel/index.ts";
import { artifactsOfRunSql } from "./artifacts.ts";
import type { Database } from "./database.ts";
import { executionsOfRunSql } from "./executions.ts";
import { jobsOfRunSql } from "./jobs.ts";
import type { ArtifactRow, ExecutionRow, JobRow, RunRow, StepRow } from "./rows.ts";
import { runColumns, runTables } from "./run-columns.ts";
import { stepsOfRunSql } from "./steps.ts";

export interface RunSummaryRows {
  readonly run: RunRow;
  /** All attempts, in the order build, test, deploy and by attempt. */
  readonly jobs: readonly JobRow[];
  /** By job and order. */
  readonly steps: readonly StepRow[];
  /** By step and attempt. */
  readonly executions: readonly ExecutionRow[];
  readonly artifacts: readonly ArtifactRow[];
}

export async function readSummary(database: Database, id: RunId): Promise<RunSummaryRows | null> {
  return await database.transaction(async (transaction) => {
    // One snapshot for all, so that `run.seq` counts exactly the transitions that the rows show.
    const [, runs, jobs, steps, executions, artifacts] = await Promise.all([
      transaction.execute("set transaction isolation level repeatable read, read only"),
      transaction.query<RunRow>(`select ${runColumns} from ${runTables} where row.id = $1::uuid`, [id]),
      transaction.query<JobRow>(jobsOfRunSql, [id]),
      transaction.query<StepRow>(stepsOfRunSql, [id]),
      transaction.query<ExecutionRow>(executionsOfRunSql, [id]),
      transaction.query<ArtifactRow>(artifactsOfRunSql, [id]),
    ]);
    const run = runs[0];
    return run === undefined ? null : { run, jobs, steps, executions, artifacts };
  });
}
