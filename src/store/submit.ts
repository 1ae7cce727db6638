/**
 * Accepts a run before anybody has looked at its repository: number, row and the first of its history in one statement,
 * because that is all that whoever asks for it waits for.
 */
import type { JobType } from "../domain/index.ts";
import { errorCode, newId, type PipelineId, Problem, type RunId } from "../kernel/index.ts";
import { acceptedBefore } from "./accept.ts";
import type { Owner } from "./apply.ts";
import type { Database } from "./database.ts";
import type { RunRow, TriggerType } from "./rows.ts";
import { runColumns, runTables } from "./run-columns.ts";
import { refuseUnstorable, storableText } from "./text.ts";

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
with numbered as (
  update pipelines p
  set next_number = p.next_number + 1
  where p.id = $2::uuid and not exists (select from pipeline_runs r where r.id = $1::uuid)
  returning p.next_number - 1 as number
),
run as (
  insert into pipeline_runs (id, pipeline_id, number, executor_type, trigger, git_ref, git_sha, requested_stages,
    retried_from, owner_node, owner_epoch, seq)
  select $1::uuid, $2::uuid, n.number, $3::text, $4::text, $5::text, $6::text, $7::text[], $8::uuid, $9::uuid,
    $10::integer, 2
  from numbered n
  returning *
),
history as (
  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select $1::uuid, h.seq, h.entity, $1::uuid, null, h.state, $11::text, h.evidence
  from run r
  cross join lateral (
    values (1, 'run', 'pending', jsonb_build_object('number', r.number)), (2, 'phase', 'submitted', null)
  ) h (seq, entity, state, evidence)
)
select ${runColumns} from ${runTables.replace("pipeline_runs row", "run row")}`;

export interface Submitted {
  readonly id: RunId;
  /** As it was written; null where it had been submitted before. */
  readonly written: RunRow | null;
}

/** @throws Problem not_found (pipeline), conflict (the id is another run's), config_invalid (text that cannot be stored) */
export async function submitRun(database: Database, run: SubmittedRun): Promise<Submitted> {
  if (run.gitRef !== null) refuseUnstorable(run.gitRef, "git_ref");
  const id = run.id ?? newId<RunId>();
  const values = [
    id,
    run.pipelineId,
    run.executorType,
    run.trigger,
    run.gitRef,
    run.gitSha,
    run.requestedStages,
    run.retriedFrom,
    run.owner.node,
    run.owner.epoch,
    storableText(run.cause),
  ];
  let written: RunRow | undefined;
  try {
    [written] = await database.query<RunRow>(submitSql, values, { name: "runs.submit" });
  } catch (error) {
    if (errorCode(error) !== "23505" || run.id === undefined) throw error;
  }
  if (written !== undefined) return { id, written };
  if ((await acceptedBefore(database, { ...run, id })) !== null) return { id, written: null };
  throw new Problem("not_found", `There is no pipeline ${run.pipelineId}.`);
}
