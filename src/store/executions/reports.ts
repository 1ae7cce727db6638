/**
 * Remote executions, as their callbacks report them. Each change is one compare-and-set on one row; null or false means
 * that another change was first, so read again. Times are the database's.
 */
import type {
  ArtifactMetadata,
  CloseReason,
  ExecutionSpec,
  FinalReport,
  FinalStatus,
  StopCause,
} from "../../domain/index.ts";
import type { ArtifactId, ExecutionId, JobId, RunId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import { storableText } from "../db/text.ts";

export interface ReportRow {
  readonly execution_id: ExecutionId;
  readonly attempt: number;
  readonly run_id: RunId;
  readonly spec: ExecutionSpec;
  readonly submitted_at: Date;
  readonly launched_at: Date | null;
  readonly claimed_by: string | null;
  readonly claimed_at: Date | null;
  readonly begun_at: Date | null;
  readonly last_seen_at: Date | null;
  readonly stop_cause: StopCause | null;
  readonly stop_grace_seconds: number | null;
  readonly final_status: FinalStatus | null;
  readonly report: FinalReport | null;
  readonly reported_at: Date | null;
  readonly closed_reason: CloseReason | null;
  readonly closed_at: Date | null;
  readonly log_closed_at: Date | null;
  /** Null while bytes of its log may still come. */
  readonly log_complete: boolean | null;
  /** Bytes of its log that have come, where the log is masked and so has fewer; else null. */
  readonly log_received: number | null;
  /** Milliseconds since its submit, its last callback, and its end. */
  readonly age_ms: number;
  readonly silent_ms: number;
  readonly ended_ms: number | null;
}

export interface UploadRow {
  readonly execution_id: ExecutionId;
  readonly name: string;
  readonly artifact_id: ArtifactId;
  readonly checksum: string;
  readonly size: number;
  readonly storage_path: string;
  readonly metadata: ArtifactMetadata;
}

export interface ReportStore {
  get(id: ExecutionId): Promise<ReportRow | null>;
  /** Writes down that it is handed out; what is there already stays. Gives what is recorded. */
  submit(spec: ExecutionSpec): Promise<ReportRow>;
  markLaunched(id: ExecutionId): Promise<void>;
  /** Claims it for one agent, which may repeat the claim. Null: another agent's, over, or to end before it began. */
  claim(id: ExecutionId, by: string): Promise<ReportRow | null>;
  /** Null: not claimed by this one, to end, or over. `by` null: the agent that claimed it. */
  begin(id: ExecutionId, by: string | null): Promise<ReportRow | null>;
  /** Null: not claimed by this one, or over. */
  heartbeat(id: ExecutionId, by: string | null): Promise<ReportRow | null>;
  /** The first final report stands. Null: not claimed by this one, over, or a success of what did not begin. */
  finish(id: ExecutionId, by: string | null, report: FinalReport): Promise<ReportRow | null>;
  /** Ends an unclaimed one at once; the agent of a claimed one learns of it. The first cause and the shorter grace count. */
  requestStop(id: ExecutionId, cause: StopCause, graceSeconds: number): Promise<ReportRow | null>;
  /** Ends it without a report. `unclaimed`: only while it is unclaimed. False: it had ended, or was claimed. */
  close(id: ExecutionId, reason: CloseReason, when: "unclaimed" | "unreported"): Promise<boolean>;
  closeJob(job: JobId, attempt: number): Promise<void>;
  /** Records that all of its log has come (`complete`), or that the wait for it is over. */
  closeLog(id: ExecutionId, complete: boolean): Promise<void>;
  /** Executions that ended longer ago than that and whose log is still open. */
  overdue(afterMs: number, limit: number): Promise<readonly ExecutionId[]>;
  /** Stores an output, unless the execution has ended or has one of that name; returns the stored one, null after the end. */
  keepUpload(upload: UploadRow, by: string | null): Promise<UploadRow | null>;
  uploads(id: ExecutionId): Promise<readonly UploadRow[]>;
  /** Deletes uploads of closed executions that became no artifact; the caller removes their bytes. */
  takeOrphans(limit: number): Promise<readonly ArtifactId[]>;
  /** Keeps what contradicted a final state; the first hundred of an execution. */
  addEvidence(id: ExecutionId, by: string | null, report: unknown): Promise<void>;
  evidence(
    id: ExecutionId,
  ): Promise<readonly { readonly reported_by: string | null; readonly report: unknown }[]>;
}

const columns = `row.execution_id, row.attempt, row.run_id, row.spec, row.submitted_at, row.launched_at,
  row.claimed_by, row.claimed_at, row.begun_at, row.last_seen_at, row.stop_cause, row.stop_grace_seconds, row.final_status,
  row.report, row.reported_at, row.closed_reason, row.closed_at, row.log_closed_at, row.log_complete,
  (select m.received from masked_logs m where m.execution_id = row.execution_id) as log_received,
  extract(epoch from now() - row.submitted_at)::float8 * 1000 as age_ms,
  extract(epoch from now() - coalesce(row.last_seen_at, row.submitted_at))::float8 * 1000 as silent_ms,
  extract(epoch from now() - coalesce(row.reported_at, row.closed_at))::float8 * 1000 as ended_ms`;
const uploadColumns = `row.execution_id, row.name, row.artifact_id, row.checksum, row.size, row.storage_path, row.metadata`;
const open = "row.final_status is null and row.closed_at is null";
const claimant = "row.claimed_by is not null and ($2::text is null or row.claimed_by = $2::text)";
const maxEvidence = 100;

export function createReportStore(database: Database): ReportStore {
  const get = async (id: ExecutionId) =>
    (
      await database.query<ReportRow>(
        `select ${columns} from execution_reports row where row.execution_id = $1::uuid`,
        [id],
        { name: "reports.get" },
      )
    )[0] ?? null;

  async function change(
    set: string,
    where: string,
    values: readonly [ExecutionId, ...unknown[]],
  ): Promise<ReportRow | null> {
    const rows = await database.query<ReportRow>(
      `update execution_reports row set ${set} where row.execution_id = $1::uuid and ${where} returning ${columns}`,
      values,
    );
    return rows[0] ?? null;
  }

  return {
    get,
    async submit(spec) {
      const rows = await database.query<ReportRow>(
        `insert into execution_reports as row (execution_id, attempt, run_id, job_id, job_attempt, spec)
         values ($1::uuid, $2::integer, $3::uuid, $4::uuid, $5::integer, $6::jsonb)
         on conflict (execution_id) do update set attempt = row.attempt
         returning ${columns}`,
        [
          spec.executionId,
          spec.attempt,
          spec.job.runId,
          spec.job.jobId,
          spec.job.attempt,
          JSON.stringify(spec),
        ],
      );
      const [row] = rows;
      if (row === undefined) throw new TypeError("insert … returning gave no row");
      return row;
    },
    async markLaunched(id) {
      await change("launched_at = now()", "row.launched_at is null", [id]);
    },
    claim: (id, by) =>
      change(
        "claimed_by = $2::text, claimed_at = coalesce(row.claimed_at, now()), last_seen_at = now()",
        `${open} and (row.claimed_by is null and row.stop_cause is null or row.claimed_by = $2::text)`,
        [id, by],
      ),
    begin: (id, by) =>
      change(
        "begun_at = coalesce(row.begun_at, now()), last_seen_at = now()",
        `${open} and ${claimant} and (row.begun_at is not null or row.stop_cause is null)`,
        [id, by],
      ),
    heartbeat: (id, by) => change("last_seen_at = now()", `${open} and ${claimant}`, [id, by]),
    finish: (id, by, report) =>
      change(
        "final_status = $3::text, report = $4::jsonb, reported_at = now(), last_seen_at = now()",
        `${open} and ${claimant} and ($3::text <> 'success' or row.begun_at is not null)`,
        [id, by, report.status, JSON.stringify(report)],
      ),
    requestStop: (id, cause, grace) =>
      change(
        `stop_cause = coalesce(row.stop_cause, $2::text),
         stop_grace_seconds = least(row.stop_grace_seconds, $3::integer),
         closed_reason = case when row.claimed_by is null then coalesce(row.stop_cause, $2::text) end,
         closed_at = case when row.claimed_by is null then now() end`,
        open,
        [id, cause, Math.ceil(grace)],
      ),
    close: async (id, reason, when) =>
      (await change(
        "closed_reason = $2::text, closed_at = now()",
        `${open}${when === "unclaimed" ? " and row.claimed_by is null" : ""}`,
        [id, reason],
      )) !== null,
    async closeJob(job, attempt) {
      await database.execute(
        `update execution_reports row set closed_reason = 'canceled', closed_at = now()
         where row.job_id = $1::uuid and row.job_attempt = $2::integer and ${open}`,
        [job, attempt],
      );
    },
    async closeLog(id, complete) {
      const values = [id, complete] as const;
      await change(
        "log_closed_at = now(), log_complete = $2::boolean",
        `row.log_closed_at is null and not (${open})`,
        values,
      );
    },
    overdue: async (afterMs, limit) =>
      (
        await database.query<{ execution_id: ExecutionId }>(
          `select row.execution_id
           from execution_reports row
           where row.log_closed_at is null and (row.reported_at is not null or row.closed_at is not null)
             and coalesce(row.reported_at, row.closed_at) < now() - $1::float8 * interval '1 ms'
           order by coalesce(row.reported_at, row.closed_at)
           limit $2::integer`,
          [afterMs, limit],
        )
      ).map((row) => row.execution_id),
    keepUpload: (upload, by) =>
      database.transaction(async (transaction) => {
        // Held until the commit, so that no final report comes between.
        const [held] = await transaction.query<{ open: boolean }>(
          `select ${open} and ${claimant} as open from execution_reports row where row.execution_id = $1::uuid for share`,
          [upload.execution_id, by],
        );
        if (held?.open !== true) return null;
        const [row] = await transaction.query<UploadRow>(
          `insert into execution_uploads as row (execution_id, name, artifact_id, checksum, size, storage_path, metadata)
           values ($1::uuid, $2::text, $3::uuid, $4::text, $5::bigint, $6::text, $7::jsonb)
           on conflict (execution_id, name) do update set name = excluded.name
           returning ${uploadColumns}`,
          [
            upload.execution_id,
            upload.name,
            upload.artifact_id,
            upload.checksum,
            upload.size,
            upload.storage_path,
            JSON.stringify(upload.metadata),
          ],
        );
        return row ?? null;
      }),
    uploads: (id) =>
      database.query<UploadRow>(
        `select ${uploadColumns} from execution_uploads row where row.execution_id = $1::uuid order by row.name`,
        [id],
      ),
    takeOrphans: async (limit) =>
      (
        await database.query<{ artifact_id: ArtifactId }>(
          `delete from execution_uploads u
           where u.artifact_id in (
             select u.artifact_id
             from execution_uploads u
             join execution_reports row on row.execution_id = u.execution_id
             where row.log_closed_at is not null and not exists (select from artifacts a where a.id = u.artifact_id)
               and not exists (select from executions e where e.id = u.execution_id and e.status in ('pending', 'running'))
             limit $1::integer)
           returning u.artifact_id`,
          [limit],
        )
      ).map((row) => row.artifact_id),
    async addEvidence(id, by, report) {
      await database.execute(
        `insert into execution_evidence (execution_id, reported_by, report)
         select $1::uuid, $2::text, $3::jsonb
         where (select count(*) from (select from execution_evidence e where e.execution_id = $1::uuid limit $4::integer) e)
           < $4::integer`,
        [id, by === null ? null : storableText(by), JSON.stringify(report), maxEvidence],
      );
    },
    evidence: (id) =>
      database.query(
        "select e.reported_by, e.report from execution_evidence e where e.execution_id = $1::uuid order by e.id",
        [id],
      ),
  };
}
