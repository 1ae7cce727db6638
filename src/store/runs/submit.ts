/**
 * Accepts runs before anybody has looked at their repository: number, row and the first of the history in one statement,
 * because that is all that whoever asks waits for.
 */
import type { JobType } from "../../domain/index.ts";
import { createBatches, errorCode, newId, type PipelineId, type RunId } from "../../kernel/index.ts";
import { auditSql, type NewAuditEntry, recordAudit } from "../access/audit.ts";
import type { Database } from "../db/database.ts";
import { refuseUnstorable, storableJson } from "../db/text.ts";
import { noPipeline } from "../db/unique.ts";
import type { RunRow, TriggerType } from "../rows.ts";
import { acceptedBefore } from "./accept.ts";
import type { Owner } from "./apply.ts";
import { runColumns, runTables } from "./run-columns.ts";

export interface SubmittedRun {
  /** The id that it gets; a fresh one when absent. Submitted twice with one id, it is one run. */
  readonly id?: RunId;
  readonly pipelineId: PipelineId;
  readonly executorType: string;
  readonly trigger: TriggerType;
  /** What is to be resolved. Null: the default branch. */
  readonly gitRef: string | null;
  /** Null: what the ref names when it is resolved. */
  readonly gitSha: string | null;
  /** Null: every stage that the file has. */
  readonly requestedStages: readonly JobType[] | null;
  readonly retriedFrom: RunId | null;
  /** Who carries the run. */
  readonly owner: Owner;
  /** Recorded with the first transitions. */
  readonly cause: string;
}

// A number is taken only for a run that comes in: an id that is there takes none, and one that comes in at the same
// moment undoes the whole statement.
const submitSql = `
with fresh as materialized (
  select a.id, a.executor_type, a.trigger, a.git_ref, a.git_sha, a.requested_stages, a.retried_from, a.owner_node,
    a.owner_epoch, a.cause, a.audit, row_number() over (order by a.n) as place, count(*) over () as many
  from rows from (jsonb_to_recordset($2::jsonb) as (id uuid, executor_type text, trigger text, git_ref text,
    git_sha text, requested_stages text[], retried_from uuid, owner_node uuid, owner_epoch integer, cause text,
    audit jsonb)) with ordinality as a (id, executor_type, trigger, git_ref, git_sha, requested_stages, retried_from,
      owner_node, owner_epoch, cause, audit, n)
  where not exists (select from pipeline_runs r where r.id = a.id)
),
numbered as (
  update pipelines p
  set next_number = p.next_number + (select f.many from fresh f limit 1)
  where p.id = $1::uuid and p.archived_at is null and exists (select from fresh)
  returning p.next_number as beyond
),
run as (
  insert into pipeline_runs (id, pipeline_id, number, executor_type, trigger, git_ref, git_sha, requested_stages,
    retried_from, owner_node, owner_epoch, seq)
  select f.id, $1::uuid, n.beyond - f.many + f.place - 1, f.executor_type, f.trigger, f.git_ref, f.git_sha,
    f.requested_stages, f.retried_from, f.owner_node, f.owner_epoch, 2
  from numbered n
  cross join fresh f
  returning *
),
history as (
  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select r.id, h.seq, h.entity, r.id, null, h.state, f.cause, h.evidence
  from run r
  join fresh f on f.id = r.id
  cross join lateral (
    values (1, 'run', 'pending', jsonb_build_object('number', r.number)), (2, 'phase', 'submitted', null)
  ) h (seq, entity, state, evidence)
),
audited as (
  ${auditSql("run r join fresh f on f.id = r.id", "f.audit", "f.audit is not null")}
)
select ${runColumns} from ${runTables.replace("pipeline_runs row", "run row")}`;

export interface Submitted {
  readonly id: RunId;
  /** As it was written; null where it had been submitted before. */
  readonly written: RunRow | null;
}

/** @throws Problem not_found (pipeline), gone (it was removed), conflict (the id is another run's), config_invalid (text that cannot be stored) */
export type Submit = (run: SubmittedRun, audit?: NewAuditEntry) => Promise<Submitted>;

type Asked = SubmittedRun & { readonly id: RunId; readonly audit: NewAuditEntry | undefined };

/** The most that come in with one statement. */
const most = 100;

/**
 * Runs of one pipeline that are asked for at the same time come in with one statement and one commit. One after the
 * other each would wait for the pipeline's number, which is locked until the commit before it is on the disk.
 */
export function createSubmit(database: Database): Submit {
  const batches = createBatches<PipelineId, Asked, Submitted>(
    (pipelineId, runs) => submitTogether(database, pipelineId, runs),
    { most, start: "after_turn" },
  );
  return async (run, audit) => {
    if (run.gitRef !== null) refuseUnstorable(run.gitRef, "git_ref");
    return await batches.request(run.pipelineId, { ...run, id: run.id ?? newId<RunId>(), audit });
  };
}

async function submitTogether(
  database: Database,
  pipelineId: PipelineId,
  runs: readonly Asked[],
): Promise<readonly Promise<Submitted>[]> {
  let rows: readonly RunRow[] = [];
  let refusal: unknown;
  try {
    rows = await database.query<RunRow>(submitSql, [pipelineId, argumentOf(runs)], { name: "runs.submit" });
  } catch (error) {
    // A value or a constraint: what is refused of one is not to keep the others out.
    if (runs.length > 1 && /^2[23]/.test(errorCode(error) ?? ""))
      return runs.map((run) => submitAlone(database, run));
    if (errorCode(error) !== "23505") throw error;
    refusal = error;
  }
  const written = new Map(rows.map((row) => [row.id, row]));
  return runs.map((run) => answerOf(database, run, written.get(run.id), refusal));
}

async function submitAlone(database: Database, run: Asked): Promise<Submitted> {
  const [submitted] = await submitTogether(database, run.pipelineId, [run]);
  if (submitted === undefined) throw new TypeError("one run was submitted and none was answered");
  return await submitted;
}

async function answerOf(
  database: Database,
  run: Asked,
  written: RunRow | undefined,
  refusal: unknown,
): Promise<Submitted> {
  if (written !== undefined) return { id: run.id, written };
  if ((await acceptedBefore(database, run)) !== null) {
    if (run.audit !== undefined) await recordAudit(database, [run.audit]);
    return { id: run.id, written: null };
  }
  throw refusal ?? (await noPipeline(database, run.pipelineId));
}

function argumentOf(runs: readonly Asked[]): string {
  const rows = runs.map((run) => ({
    id: run.id,
    executor_type: run.executorType,
    trigger: run.trigger,
    git_ref: run.gitRef,
    git_sha: run.gitSha,
    requested_stages: run.requestedStages,
    retried_from: run.retriedFrom,
    owner_node: run.owner.node,
    owner_epoch: run.owner.epoch,
    cause: run.cause,
    audit: run.audit ?? null,
  }));
  return storableJson(rows);
}
