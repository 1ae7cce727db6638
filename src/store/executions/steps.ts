/** Steps of a job. Written by `runs.accept` and `runs.apply`. */
import type { JobId, RunId, StepId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import type { StepRow, StepWithPlanRow } from "../rows.ts";

export interface StepStore {
  get(id: StepId): Promise<StepWithPlanRow | null>;
  /** By order. */
  ofJob(jobId: JobId): Promise<readonly StepRow[]>;
  /** Steps of all jobs, by job and order. */
  ofRun(runId: RunId): Promise<readonly StepRow[]>;
}

export const stepColumns = `row.id, row.job_id, row.name, row.execution_order, row.parallel_group, row.status,
  row.created_at, row.started_at, row.finished_at`;

export const stepsOfRunSql = `
select ${stepColumns}
from jobs j
join job_steps row on row.job_id = j.id
where j.pipeline_run_id = $1::uuid
order by row.job_id, row.execution_order`;

export function createStepStore(database: Database): StepStore {
  return {
    async get(id) {
      const rows = await database.query<StepWithPlanRow>(
        `select ${stepColumns}, row.plan from job_steps row where row.id = $1::uuid`,
        [id],
      );
      return rows[0] ?? null;
    },
    ofJob: (jobId) =>
      database.query<StepRow>(
        `select ${stepColumns} from job_steps row where row.job_id = $1::uuid order by row.execution_order`,
        [jobId],
      ),
    ofRun: (runId) => database.query<StepRow>(stepsOfRunSql, [runId]),
  };
}
