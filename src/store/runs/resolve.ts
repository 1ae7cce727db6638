/** Records the resolution of a run that was accepted before its repository was read: commit, file, jobs and steps. */
import type { PipelineConfig } from "../../domain/index.ts";
import type { RunId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import { refuseUnstorable, strictJson } from "../db/text.ts";
import type { RunRow } from "../rows.ts";
import { configDigest } from "./accept.ts";
import type { Owner } from "./apply.ts";
import { jobsArgument, makeJobs, type NewJob, newJobsSql, refuseEmpty } from "./new-jobs.ts";
import { runColumns, runTables } from "./run-columns.ts";

export interface ResolvedRun {
  readonly gitRef: string | null;
  readonly gitSha: string | null;
  readonly tree: string;
  readonly branch: string | null;
  readonly tag: string | null;
  readonly config: PipelineConfig;
  readonly jobs: readonly NewJob[];
}

// Compared and set on seq, like every change: a cancel, a new owner or another resolution moves it.
const resolveSql = `
with config as (
  insert into pipeline_configs (digest, config)
  select $9::text, $10::jsonb
  where exists (select from pipeline_runs r where r.id = $1::uuid and r.seq = $4::integer)
  on conflict (digest) do nothing
),
run as (
  update pipeline_runs r
  set git_ref = $5::text, git_sha = $6::text, tree = $7::text, branch = $8::text, tag = $11::text,
    config_digest = $9::text, seq = r.seq + 1 + jsonb_array_length($12::jsonb)
  where r.id = $1::uuid and r.owner_id = $2::uuid and r.owner_epoch = $3::integer and r.seq = $4::integer
    and r.status = 'pending' and r.config_digest is null and r.cancel_requested_at is null
  returning r.id, r.seq
),
${newJobsSql("(case when exists (select from run) then $12 else '[]' end)")},
history as (
  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select $1::uuid, h.seq, h.entity, h.id, h.from_state, h.state, 'resolved', h.evidence
  from (
    select $4::integer + 1 as seq, 'run' as entity, $1::uuid as id, 'pending' as from_state, 'pending' as state,
      jsonb_build_object('git_ref', $5::text, 'git_sha', $6::text, 'tree', $7::text) as evidence
    union all
    select $4::integer + 1 + j.n, 'job', j.id, null, 'pending', jsonb_build_object('type', j.type, 'attempt', 1)
    from new_jobs j
  ) h
  where exists (select from run)
)
select r.seq from run r`;

export interface UnresolvedRun {
  readonly run: RunRow;
  /** Milliseconds since its accept, by the database's clock. */
  readonly ageMs: number;
}

export async function readUnresolved(
  database: Database,
  id: RunId,
  owner: Owner,
): Promise<UnresolvedRun | null> {
  const [row] = await database.query<RunRow & { age_ms: number }>(
    `select ${runColumns}, (extract(epoch from now() - row.created_at) * 1000)::double precision as age_ms
     from ${runTables}
     where row.id = $1::uuid and row.owner_id = $2::uuid and row.owner_epoch = $3::integer
       and row.status = 'pending' and row.config_digest is null
       and not exists (select from jobs j where j.pipeline_run_id = row.id)`,
    [id, owner.instance, owner.epoch],
    { name: "runs.unresolved" },
  );
  if (row === undefined) return null;
  const { age_ms: ageMs, ...run } = row;
  return { run, ageMs };
}

/**
 * @returns the run's seq; null when the run has moved on since `expectedSeq` or belongs to another owner: read it again
 * @throws Problem config_invalid (no job, a job without steps, text that cannot be stored)
 */
export async function resolveRun(
  database: Database,
  id: RunId,
  owner: Owner,
  expectedSeq: number,
  resolved: ResolvedRun,
): Promise<number | null> {
  const { gitRef, gitSha, tree, branch, tag, config, jobs } = resolved;
  for (const [place, text] of Object.entries({ git_ref: gitRef, branch, tag }))
    if (text !== null) refuseUnstorable(text, place);
  refuseEmpty(jobs);
  const rows = await database.query<{ seq: number }>(
    resolveSql,
    [
      id,
      owner.instance,
      owner.epoch,
      expectedSeq,
      gitRef,
      gitSha,
      tree,
      branch,
      configDigest(config),
      strictJson(config, "config"),
      tag,
      jobsArgument(makeJobs(jobs)),
    ],
    { name: "runs.resolve" },
  );
  return rows[0]?.seq ?? null;
}
