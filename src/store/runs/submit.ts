/** Accepts runs that are resolved later: number, row and first transitions in one statement. */
import type { JobType, TriggerCause } from "../../domain/index.ts";
import { errorCode, newId, type PipelineId, type RunId } from "../../kernel/index.ts";
import { auditSql, type NewAuditEntry, recordAudit } from "../access/audit.ts";
import type { Database } from "../db/database.ts";
import { refuseUnstorable, storableJson, storableText } from "../db/text.ts";
import { noPipeline } from "../db/unique.ts";
import type { RunRow } from "../rows.ts";
import { acceptedBefore } from "./accept.ts";
import type { Owner } from "./apply.ts";
import { runColumns, runTables } from "./run-columns.ts";

export interface SubmittedRun {
  /** Default: a new id. Submitted twice with one id, it is one run. */
  readonly id?: RunId;
  readonly pipelineId: PipelineId;
  readonly executorType: string;
  readonly trigger: TriggerCause;
  /** The ref to resolve. Null: the default branch. */
  readonly gitRef: string | null;
  /** Null: the commit that the ref names when it is resolved. */
  readonly gitSha: string | null;
  /** Null: every stage that the file has. */
  readonly requestedStages: readonly JobType[] | null;
  readonly retriedFrom: RunId | null;
  /** The owner of the run. */
  readonly owner: Owner;
  /** Recorded with the first transitions. */
  readonly cause: string;
}

// A number is taken only for a run that comes in: an id that exists takes none, and one that comes in at the same moment
// undoes the whole statement.
const submitSql = `
with numbered as (
  update pipelines p
  set next_number = p.next_number + 1
  where p.id = $2::uuid and p.archived_at is null and not exists (select from pipeline_runs r where r.id = $1::uuid)
  returning p.next_number - 1 as number
),
run as (
  insert into pipeline_runs (id, pipeline_id, number, executor_type, cause_kind, cause_actor, cause_delivery, git_ref, git_sha, requested_stages,
    retried_from, owner_id, owner_epoch, seq)
  select $1::uuid, $2::uuid, n.number, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text[], $10::uuid, $11::uuid,
    $12::integer, 2
  from numbered n
  returning *
),
history as (
  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select r.id, h.seq, h.entity, r.id, null, h.state, $13::text, h.evidence
  from run r
  cross join lateral (
    values (1, 'run', 'pending', jsonb_build_object('number', r.number)), (2, 'phase', 'submitted', null)
  ) h (seq, entity, state, evidence)
),
audited as (
  ${auditSql("run r", "$14::jsonb", "$14::jsonb is not null")}
)
select ${runColumns} from ${runTables.replace("pipeline_runs row", "run row")}`;

export interface Submitted {
  readonly id: RunId;
  /** The run's row; null where the run had been submitted before. */
  readonly written: RunRow | null;
}

/**
 * @throws Problem not_found (pipeline), gone (it was removed), conflict (the id is another run's), config_invalid (text
 *   that cannot be stored)
 */
export async function submitRun(
  database: Database,
  run: SubmittedRun,
  audit?: NewAuditEntry,
): Promise<Submitted> {
  if (run.gitRef !== null) refuseUnstorable(run.gitRef, "git_ref");
  const id = run.id ?? newId<RunId>();
  let refusal: unknown;
  try {
    const [written] = await database.query<RunRow>(
      submitSql,
      [
        id,
        run.pipelineId,
        run.executorType,
        run.trigger.kind,
        storableText(run.trigger.actor),
        run.trigger.delivery,
        run.gitRef,
        run.gitSha,
        run.requestedStages,
        run.retriedFrom,
        run.owner.instance,
        run.owner.epoch,
        storableText(run.cause),
        audit === undefined ? null : storableJson(audit),
      ],
      { name: "runs.submit" },
    );
    if (written !== undefined) return { id, written };
  } catch (error) {
    if (errorCode(error) !== "23505") throw error;
    refusal = error;
  }
  if ((await acceptedBefore(database, { ...run, id })) === null)
    throw refusal ?? (await noPipeline(database, run.pipelineId));
  if (audit !== undefined) await recordAudit(database, [audit]);
  return { id, written: null };
}
