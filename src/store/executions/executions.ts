/**
 * Executions: attempts at steps. Their state is written by `runs.apply` alone; here is what touches the execution row
 * and nothing else: the claim of one that waits, where it runs, and its log's length.
 */
import type { JobType, StepPlan } from "../../domain/index.ts";
import type { ExecutionId, InstanceId, JobId, RunId, StepId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import { checkedLimit } from "../db/page.ts";
import { storableText } from "../db/text.ts";
import type { ExecutionRow } from "../rows.ts";
import type { Owner } from "../runs/apply.ts";

/** An execution with its step and job. */
export interface ExecutionWork {
  readonly id: ExecutionId;
  readonly attempt: number;
  readonly status: ExecutionRow["status"];
  readonly instance_id: InstanceId | null;
  readonly executorType: string;
  readonly stepId: StepId;
  readonly plan: StepPlan;
  readonly jobId: JobId;
  readonly jobType: JobType;
  readonly jobAttempt: number;
  readonly runId: RunId;
}

/** An execution that has not ended, with the step that it attempts. */
export interface ExecutionUnderWay {
  readonly id: ExecutionId;
  readonly step_id: StepId;
  readonly step_name: string;
  /** Null: it waits for a slot. */
  readonly instance_id: InstanceId | null;
  readonly submitted_at: Date;
  readonly begun_at: Date | null;
  /** Number of the run's executions that have not ended. */
  readonly all: number;
}

export interface LogState {
  readonly ref: string | null;
  readonly bytes: number;
  readonly dropped: number;
}

export interface ExecutionStore {
  /**
   * Claims up to `limit` (1 to 1,000) admitted executions of the owner's runs, the longest waiting first. Callers at the
   * same moment get different ones. Empty when the instance has ended or its epoch has passed.
   */
  claim(owner: Owner, limit: number): Promise<readonly ExecutionId[]>;
  /** These executions with their steps and jobs, in no order; unknown ids are left out. */
  work(ids: readonly ExecutionId[]): Promise<readonly ExecutionWork[]>;
  /** Live executions that an instance has claimed, or that wait in its runs: those to re-attach after a start. */
  live(instance: InstanceId): Promise<readonly ExecutionWork[]>;
  /**
   * Records the executor's id of it, once. Null: it is final, already known elsewhere, or it or its run is not
   * `owner`'s. `canceled`: its run is to end.
   */
  place(id: ExecutionId, externalId: string, owner: Owner): Promise<"wanted" | "canceled" | null>;
  /**
   * Counts a collection of the execution's outputs that is about to begin.
   * @returns how many have begun, this one included; 0 where the execution is final or its run is not `owner`'s
   */
  beginCollection(id: ExecutionId, owner: Owner): Promise<number>;
  /** Subtracts a collection that was stopped in order. */
  undoCollection(id: ExecutionId, owner: Owner): Promise<void>;
  /** Records the log's place and length; also after the end, when missing bytes came. False: no such execution. */
  recordLog(id: ExecutionId, log: LogState): Promise<boolean>;
  /** The run's executions that have not ended, those that wait longest first, with the number of all of them. */
  underWay(runId: RunId, limit: number): Promise<readonly ExecutionUnderWay[]>;
  /** Last attempt with a log of the run's step that failed first; null: there is none. */
  firstFailed(runId: RunId): Promise<ExecutionId | null>;
  get(id: ExecutionId): Promise<ExecutionRow | null>;
  ofStep(stepId: StepId): Promise<readonly ExecutionRow[]>;
  ofRun(runId: RunId): Promise<readonly ExecutionRow[]>;
}

export const executionColumns = `row.id, row.job_step_id, row.pipeline_run_id, row.attempt, row.executor_type,
  row.external_id, row.status, row.instance_id, row.epoch, row.submitted_at, row.not_before, row.ready_at, row.begun_at,
  row.completed_at, row.exit_code, row.failure_reason, row.message, row.logs_ref, row.log_bytes, row.log_dropped,
  row.kill_strategy`;

export const executionsOfRunSql = `
select ${executionColumns}
from executions row
where row.pipeline_run_id = $1::uuid
order by row.job_step_id, row.attempt`;

// No filter in the scan: the index holds only what this owner may claim.
const claimSql = `
with waiting as (
  select e.id, e.ready_at
  from executions e
  where e.owner_id = $1::uuid and e.status = 'pending' and e.instance_id is null and e.ready_at <= now()
    and exists (select from instances n where n.id = $1::uuid and n.epoch = $2::integer and n.ended_at is null)
  order by e.ready_at, e.id
  limit $3::integer
  for update of e skip locked
),
claimed as (
  update executions e
  set instance_id = $1::uuid, epoch = $2::integer
  from waiting w
  where e.id = w.id
  returning e.id, w.ready_at
)
select c.id from claimed c order by c.ready_at, c.id`;

const placeSql = `
with placed as (
  update executions e
  set external_id = $2::text
  where e.id = $1::uuid and e.status in ('pending', 'running')
    and (e.external_id is null or e.external_id = $2::text)
    and e.instance_id = $3::uuid and e.epoch = $4::integer
  returning e.pipeline_run_id
)
select r.cancel_requested_at is not null as canceled
from placed p
join pipeline_runs r on r.id = p.pipeline_run_id
where r.owner_id = $3::uuid and r.owner_epoch = $4::integer`;

const countCollectionSql = `
update executions e
set collections = greatest(e.collections + $4::integer, 0)
from pipeline_runs r
where e.id = $1::uuid and e.status in ('pending', 'running')
  and r.id = e.pipeline_run_id and r.owner_id = $2::uuid and r.owner_epoch = $3::integer
returning e.collections`;

const workSelect = `
select e.id, e.attempt, e.status, e.instance_id, e.executor_type as "executorType", s.id as "stepId", s.plan,
  j.id as "jobId", j.job_type as "jobType", j.attempt as "jobAttempt", e.pipeline_run_id as "runId"
from executions e
join job_steps s on s.id = e.job_step_id
join jobs j on j.id = s.job_id`;

export function createExecutionStore(database: Database): ExecutionStore {
  const select = (tail: string, values: readonly unknown[]) =>
    database.query<ExecutionRow>(`select ${executionColumns} from executions row ${tail}`, values);
  async function countCollection(id: ExecutionId, { instance, epoch }: Owner, by: 1 | -1): Promise<number> {
    const values = [id, instance, epoch, by];
    const options = { name: "executions.count_collection" };
    const [row] = await database.query<{ collections: number }>(countCollectionSql, values, options);
    return row?.collections ?? 0;
  }

  return {
    async claim(owner, limit) {
      const values = [owner.instance, owner.epoch, checkedLimit(limit)];
      const rows = await database.query<{ id: ExecutionId }>(claimSql, values, { name: "executions.claim" });
      return rows.map((row) => row.id);
    },
    underWay: (runId, limit) =>
      database.query<ExecutionUnderWay>(
        `select e.id, s.id as step_id, s.name as step_name, e.instance_id, e.submitted_at,
           e.begun_at, count(*) over ()::integer as all
         from executions e
         join job_steps s on s.id = e.job_step_id
         where e.pipeline_run_id = $1::uuid and e.status in ('pending', 'running')
         order by e.submitted_at, e.id
         limit $2::integer`,
        [runId, checkedLimit(limit)],
      ),
    async firstFailed(runId) {
      const [row] = await database.query<{ id: ExecutionId }>(
        `select e.id
         from executions e
         join job_steps s on s.id = e.job_step_id
         where e.pipeline_run_id = $1::uuid and e.status = 'failed' and s.status = 'failed' and e.log_bytes > 0
         order by s.finished_at, s.id, e.attempt desc
         limit 1`,
        [runId],
      );
      return row?.id ?? null;
    },
    work: (ids) =>
      database.query<ExecutionWork>(`${workSelect} where e.id = any ($1::uuid[])`, [ids], {
        name: "executions.work",
      }),
    live: (instance) =>
      database.query<ExecutionWork>(
        `${workSelect}
         join pipeline_runs r on r.id = e.pipeline_run_id
         where r.owner_id = $1::uuid and r.status in ('pending', 'running')
           and e.status in ('pending', 'running')`,
        [instance],
      ),
    async place(id, externalId, owner) {
      const values = [id, storableText(externalId), owner.instance, owner.epoch];
      const options = { name: "executions.place" };
      const [placed] = await database.query<{ canceled: boolean }>(placeSql, values, options);
      if (placed === undefined) return null;
      return placed.canceled ? "canceled" : "wanted";
    },
    beginCollection: (id, owner) => countCollection(id, owner, 1),
    async undoCollection(id, owner) {
      await countCollection(id, owner, -1);
    },
    recordLog: async (id, log) =>
      (await database.execute(
        `update executions e
         set logs_ref = $2::text, log_bytes = $3::bigint, log_dropped = $4::bigint
         where e.id = $1::uuid`,
        [id, log.ref, log.bytes, log.dropped],
      )) === 1,
    get: async (id) => (await select("where row.id = $1::uuid", [id]))[0] ?? null,
    ofStep: (stepId) => select("where row.job_step_id = $1::uuid order by row.attempt", [stepId]),
    ofRun: (runId) => database.query<ExecutionRow>(executionsOfRunSql, [runId]),
  };
}
