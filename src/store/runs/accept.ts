/** Accepts a run: number, row, configuration, jobs, steps and first transitions, all or nothing. */
import { createHash } from "node:crypto";
import type { JobType, PipelineConfig, TriggerCause } from "../../domain/index.ts";
import { errorCode, newId, type PipelineId, type RunId } from "../../kernel/index.ts";
import { type NewAuditEntry, recordAudit } from "../access/audit.ts";
import type { Database, Queryable } from "../db/database.ts";
import { refuseUnstorable, storableText, strictJson } from "../db/text.ts";
import { noPipeline, taken } from "../db/unique.ts";
import type { Owner } from "./apply.ts";
import { jobsArgument, makeJobs, type NewJob, newJobsSql, refuseEmpty } from "./new-jobs.ts";
import { type Reused, reuse } from "./reuse.ts";

export interface NewRun {
  /** Default: a new id. Accepted twice with one id, it is one run. */
  readonly id?: RunId;
  readonly pipelineId: PipelineId;
  readonly executorType: string;
  readonly trigger: TriggerCause;
  readonly gitRef: string | null;
  /** Null without git. */
  readonly gitSha: string | null;
  readonly tree: string | null;
  readonly subpath: string | null;
  /** `dirty`: the tree holds what no commit does. */
  readonly worktree: "clean" | "dirty";
  readonly branch: string | null;
  readonly tag: string | null;
  /** Null: every stage that the file has. */
  readonly requestedStages: readonly JobType[] | null;
  readonly config: PipelineConfig | null;
  readonly retriedFrom: RunId | null;
  /** Stages and artifacts of `retriedFrom` that the run reuses. */
  readonly reused?: Reused;
  /** The owner of the run. */
  readonly owner: Owner;
  /** Recorded with the first transitions. */
  readonly cause: string;
}

/** The parts of a run that a plan may depend on and only the database knows. */
export interface RunIdentity {
  readonly id: RunId;
  readonly number: number;
}

export interface AcceptedRun extends RunIdentity {
  readonly seq: number;
}

/** SHA-256 of the configuration's JSON with its keys in order, lower-case hex. */
export function configDigest(config: PipelineConfig): string {
  return createHash("sha256").update(canonicalJson(config)).digest("hex");
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

// The number's row is locked until the run is in, so numbers have no gaps and no doubles.
const numberSql = `
update pipelines p
set next_number = p.next_number + 1
where p.id = $1::uuid and p.archived_at is null
returning p.next_number - 1 as number`;

const insertSql = `
with config as (
  insert into pipeline_configs (digest, config)
  select $15::text, $16::jsonb
  where $15::text is not null
  on conflict (digest) do nothing
),
run as (
  insert into pipeline_runs (id, pipeline_id, number, executor_type, cause_kind, cause_actor, cause_delivery, git_ref, git_sha, tree, subpath, dirty,
    branch, tag, config_digest, requested_stages, retried_from, owner_id, owner_epoch, seq, reused_stages)
  values ($1::uuid, $2::uuid, $3::integer, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text, $12::boolean,
    $13::text, $14::text, $15::text, $17::text[], $18::uuid, $19::uuid, $20::integer,
    2 + jsonb_array_length($21::jsonb), $23::text[])
  returning id, seq
),
${newJobsSql("$21")},
history as (
  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select $1::uuid, h.seq, h.entity, h.id, null, h.state, $22::text, h.evidence
  from (
    select 1 as seq, 'run' as entity, $1::uuid as id, 'pending' as state,
      jsonb_build_object('number', $3::integer) as evidence
    union all
    select 2, 'phase', $1::uuid, 'submitted', null
    union all
    select 2 + j.n, 'job', j.id, 'pending', jsonb_build_object('type', j.type, 'attempt', 1)
    from new_jobs j
  ) h
)
select r.seq from run r`;

/**
 * Calls `plan` once, inside the transaction. It must be pure and return the jobs, in any order, at most one of a type;
 * none where there is no configuration yet. A Problem that it throws leaves no run and no gap in the numbers.
 * @param audit written with the run, also where the run was accepted under its id before
 * @throws Problem not_found (pipeline), gone (it was removed), config_invalid (text that cannot be stored; no job, or a job without steps,
 *   where there is a configuration)
 */
export async function acceptRun(
  database: Database,
  run: NewRun,
  plan: (identity: RunIdentity) => readonly NewJob[],
  audit?: NewAuditEntry,
): Promise<AcceptedRun> {
  const texts = { git_ref: run.gitRef, subpath: run.subpath, branch: run.branch, tag: run.tag };
  for (const [place, text] of Object.entries(texts)) if (text !== null) refuseUnstorable(text, place);
  const config = run.config === null ? null : strictJson(run.config, "config");
  const id = run.id ?? newId<RunId>();
  const accepting = database.transaction(async (transaction) => {
    const numbered = await transaction.query<{ number: number }>(numberSql, [run.pipelineId], {
      name: "runs.number",
    });
    const number = numbered[0]?.number;
    if (number === undefined) throw await noPipeline(transaction, run.pipelineId);
    const planned = plan({ id, number });
    if (run.config !== null) refuseEmpty(planned);
    const inserted = await transaction.query<{ seq: number }>(
      insertSql,
      [
        id,
        run.pipelineId,
        number,
        run.executorType,
        run.trigger.kind,
        storableText(run.trigger.actor),
        run.trigger.delivery,
        run.gitRef,
        run.gitSha,
        run.tree,
        run.subpath,
        run.worktree === "dirty",
        run.branch,
        run.tag,
        run.config === null ? null : configDigest(run.config),
        config,
        run.requestedStages,
        run.retriedFrom,
        run.owner.instance,
        run.owner.epoch,
        jobsArgument(makeJobs(planned)),
        storableText(run.cause),
        run.reused?.stages ?? [],
      ],
      { name: "runs.accept" },
    );
    if (run.reused !== undefined && run.retriedFrom !== null)
      await reuse(transaction, id, run.retriedFrom, run.reused);
    if (audit !== undefined) await recordAudit(transaction, [audit]);
    return { id, number, seq: inserted[0]?.seq ?? 0 };
  });
  return run.id === undefined
    ? await accepting
    : await once(database, { ...run, id: run.id }, accepting, audit);
}

async function once(
  database: Database,
  run: Identified,
  accepting: Promise<AcceptedRun>,
  audit: NewAuditEntry | undefined,
): Promise<AcceptedRun> {
  try {
    return await accepting;
  } catch (error) {
    if (errorCode(error) !== "23505") throw error;
    const before = await acceptedBefore(database, run);
    if (before === null) throw error;
    if (audit !== undefined) await recordAudit(database, [audit]);
    return before;
  }
}

type Identified = Pick<NewRun, "pipelineId" | "retriedFrom"> & { readonly id: RunId };

/**
 * Returns the run that was accepted with this id for the same request; null: there is none.
 * @throws Problem conflict: another pipeline's run has the id
 */
export async function acceptedBefore(
  database: Queryable,
  { id, pipelineId, retriedFrom }: Identified,
): Promise<AcceptedRun | null> {
  const [before] = await database.query<AcceptedRun & { same: boolean }>(
    `select r.id, r.number, r.seq,
       r.pipeline_id = $2::uuid and r.retried_from is not distinct from $3::uuid as same
     from pipeline_runs r where r.id = $1::uuid`,
    [id, pipelineId, retriedFrom],
  );
  if (before === undefined) return null;
  if (!before.same) throw taken("run", id);
  return { id: before.id, number: before.number, seq: before.seq };
}
