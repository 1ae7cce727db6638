/**
 * Runs. The orchestrator is the only writer: `snapshot` and `apply` are its hot path. Every write compares and sets the
 * run's `seq`, or its owner, or its cancel mark; null or false means that another writer moved it: read again.
 */
import type { CauseKind, ChangeSet, RunSnapshot, RunState } from "../../domain/index.ts";
import type { PipelineId, ProjectId, RunId } from "../../kernel/index.ts";
import { type NewAuditEntry, withAudit } from "../access/audit.ts";
import { namedSql, namedValues, type PipelineReading } from "../catalog/pipelines.ts";
import type { Database, Queryable, QueryOptions } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { candidateLimit, idRange } from "../db/prefix.ts";
import { createRunNotifier } from "../db/run-notifier.ts";
import type { RunRow } from "../rows.ts";
import { type AcceptedRun, acceptedBefore, acceptRun, type NewRun, type RunIdentity } from "./accept.ts";
import { type ApplyContext, applyChanges, type Owner } from "./apply.ts";
import { requestCancel } from "./control.ts";
import type { NewJob } from "./new-jobs.ts";
import { findNextDeploy, type Release } from "./next-deploy.ts";
import {
  disownRun,
  type OwnedRun,
  type RunPosition,
  readOwners,
  readPositions,
  takeOwnership,
  takeOwnershipOfMany,
} from "./ownership.ts";
import { purgeRuns } from "./purge.ts";
import { type ResolvedRun, readUnresolved, resolveRun, type UnresolvedRun } from "./resolve.ts";
import { runColumns, runTables } from "./run-columns.ts";
import { readRunSnapshot } from "./run-snapshot.ts";
import { type Submitted, type SubmittedRun, submitRun } from "./submit.ts";
import { type NamedImageRow, type RunSummaryRows, readNamedImages, readSummary } from "./summary.ts";

export interface RunListFilter {
  /** Names, exact. */
  readonly project?: string;
  readonly pipeline?: string;
  readonly pipelineId?: PipelineId;
  readonly projectId?: ProjectId;
  readonly status?: RunState;
  /** Full name, as recorded. */
  readonly ref?: string;
  readonly sha?: string;
  readonly cause?: CauseKind;
  /** Accepted then or later. */
  readonly since?: Date;
}

export interface RunStore {
  /** See `acceptRun`: `plan` is pure and called once, inside the transaction. */
  accept(
    run: NewRun,
    plan: (identity: RunIdentity) => readonly NewJob[],
    audit?: NewAuditEntry,
  ): Promise<AcceptedRun>;
  /** Accepts a run that is resolved afterwards; see `submitRun`. */
  submit(run: SubmittedRun, audit?: NewAuditEntry): Promise<Submitted>;
  /** Returns the run that was accepted with that id for this pipeline and as a retry of that run. @throws Problem conflict */
  acceptedBefore(
    run: Pick<NewRun, "pipelineId" | "retriedFrom"> & { readonly id: RunId },
  ): Promise<AcceptedRun | null>;
  /** Returns a run that this owner is to resolve; null: it has another owner, is resolved or over. */
  unresolved(id: RunId, owner: Owner): Promise<UnresolvedRun | null>;
  /** Records the resolution of a run, all or nothing; see `resolveRun`. */
  resolve(id: RunId, owner: Owner, expectedSeq: number, resolved: ResolvedRun): Promise<boolean>;
  /** Reads the run snapshot in one round trip; null: no such run. */
  snapshot(id: RunId): Promise<RunSnapshot | null>;
  /** Applies the changes of one reconcile in one round trip, all or nothing; see `applyChanges`. */
  apply(
    id: RunId,
    owner: Owner,
    expectedSeq: number,
    changes: ChangeSet,
    context: ApplyContext,
  ): Promise<{ readonly seq: number } | null>;
  /** Marks a run that is not final as to be canceled and recalls its unclaimed executions; `already`: it was marked. */
  requestCancel(id: RunId, by: string, audit?: NewAuditEntry): Promise<"requested" | "already" | "final">;
  /** Gives the run and its live executions to another owner; false when `from` does not own it, or it is final. */
  takeOwnership(id: RunId, from: Owner | null, to: Owner): Promise<boolean>;
  /** Takes ownership of up to `limit` unfinished runs of one owner (null: without one), the oldest first; empty: no more. */
  takeOwnershipOfMany(from: Owner | null, to: Owner, limit: number): Promise<readonly OwnedRun[]>;
  /** Distinct owners of the runs that are not final; null: runs without an owner. */
  owners(): Promise<readonly (Owner | null)[]>;
  /** Releases the ownership, so that any process may take it; false when the owner does not own it, or it is final. */
  disown(id: RunId, owner: Owner): Promise<boolean>;
  /** Runs of one owner (null: without one) that are not final, oldest first. */
  unfinished(owner: Owner | null): Promise<readonly RunRow[]>;
  get(id: RunId): Promise<RunRow | null>;
  list(filter?: RunListFilter, page?: PageRequest): Promise<Page<RunRow>>;
  /** Runs whose id begins so (hex digits and dashes), at most `candidateLimit`. */
  findByPrefix(prefix: string, projectId?: ProjectId | null): Promise<readonly RunRow[]>;
  /** Runs with that number, of one project or of all, of the pipeline so named or of all; newest first, at most
   * `candidateLimit`. */
  findByNumber(
    number: number,
    projectId?: ProjectId | null,
    pipeline?: readonly PipelineReading[] | null,
  ): Promise<readonly RunRow[]>;
  latest(projectId?: ProjectId | null): Promise<RunRow | null>;
  /** The run with its jobs, steps, executions and artifacts, as of one moment; null: no such run. */
  summary(id: RunId): Promise<RunSummaryRows | null>;
  /** Images that steps of the run name and its executor does not use. */
  namedImages(id: RunId): Promise<readonly NamedImageRow[]>;
  /** Positions of the owner's runs that have not ended. */
  positions(owner: Owner): Promise<readonly RunPosition[]>;
  /** The owner's oldest run whose deploy waits for the release; null: none waits. */
  nextDeploy(owner: Owner, release: Release): Promise<RunId | null>;
  /** Deletes at most `limit` final runs that ended before, with all their rows; see `purgeRuns`. */
  purge(before: Date, limit: number): Promise<readonly RunId[]>;
}

export function createRunStore(database: Database): RunStore {
  const notify = createRunNotifier(database);
  /** @returns whether there was a change */
  const notified = (id: RunId, seq: number | null): boolean => {
    if (seq !== null) notify(id, seq);
    return seq !== null;
  };
  const select = (tail: string, values: readonly unknown[], options?: QueryOptions) =>
    database.query<RunRow>(`select ${runColumns} from ${runTables} ${tail}`, values, options);
  return {
    async accept(run, plan, audit) {
      const accepted = await acceptRun(database, run, plan, audit);
      notify(accepted.id, accepted.seq);
      return accepted;
    },
    async submit(run, audit) {
      const submitted = await submitRun(database, run, audit);
      if (submitted.written !== null) notify(submitted.id, submitted.written.seq);
      return submitted;
    },
    acceptedBefore: (run) => acceptedBefore(database, run),
    unresolved: (id, owner) => readUnresolved(database, id, owner),
    resolve: async (id, owner, expectedSeq, resolved) =>
      notified(id, await resolveRun(database, id, owner, expectedSeq, resolved)),
    snapshot: (id) => readRunSnapshot(database, id),
    async apply(id, owner, expectedSeq, changes, context) {
      const applied = await applyChanges(database, id, owner, expectedSeq, changes, context);
      notified(id, applied?.seq ?? null);
      return applied;
    },
    async requestCancel(id, by, audit) {
      const change = (queryable: Queryable) => requestCancel(queryable, id, by);
      const { answer, seq } = await withAudit(database, audit, change);
      notified(id, seq);
      return answer;
    },
    takeOwnership: async (id, from, to) => notified(id, await takeOwnership(database, id, from, to)),
    async takeOwnershipOfMany(from, to, limit) {
      const taken = await takeOwnershipOfMany(database, from, to, limit);
      for (const { id, seq } of taken) notify(id, seq);
      return taken;
    },
    owners: () => readOwners(database),
    disown: async (id, owner) => notified(id, await disownRun(database, id, owner)),
    unfinished: (owner) =>
      select(
        `where row.status in ('pending', 'running')
           and row.owner_id is not distinct from $1::uuid and row.owner_epoch is not distinct from $2::integer
         order by row.created_at, row.id`,
        [owner?.instance ?? null, owner?.epoch ?? null],
      ),
    get: async (id) => (await select("where row.id = $1::uuid", [id], { name: "runs.get" }))[0] ?? null,
    list(filter = {}, page = {}) {
      const where: string[] = [];
      const values: unknown[] = [];
      const add = (condition: string, value: unknown) => {
        if (value === undefined) return;
        values.push(value);
        where.push(condition.replace("?", `$${values.length}`));
      };
      add("project.name = ?::text", filter.project);
      add("pipeline.name = ?::text", filter.pipeline);
      add("row.pipeline_id = ?::uuid", filter.pipelineId);
      add("row.project_id = ?::uuid", filter.projectId);
      add("row.status = ?::text", filter.status);
      add("row.git_ref = ?::text", filter.ref);
      add("row.git_sha = ?::text", filter.sha);
      add("row.cause_kind = ?::text", filter.cause);
      add("row.created_at >= ?::timestamptz", filter.since);
      return readPage<RunRow>(database, { columns: runColumns, from: runTables, where, values }, page);
    },
    async findByPrefix(prefix, projectId = null) {
      const range = idRange(prefix);
      if (range === null) return [];
      return await select(
        `where row.id between $1::uuid and $2::uuid and ($3::uuid is null or row.project_id = $3::uuid)
         order by row.id limit ${candidateLimit}`,
        [...range, projectId],
      );
    },
    findByNumber: (number, projectId = null, pipeline = null) =>
      select(
        `where row.number = $1::integer and ($2::uuid is null or row.project_id = $2::uuid)
           and ($3::text[] is null or ${namedSql("pipeline.name", "project.name", ["$3", "$4"])})
         order by row.created_at desc, row.id desc limit ${candidateLimit}`,
        [number, projectId, ...(pipeline === null ? [null, null] : namedValues(pipeline))],
      ),
    async latest(projectId = null) {
      const where = projectId === null ? "" : "where row.project_id = $1::uuid";
      const values = projectId === null ? [] : [projectId];
      return (await select(`${where} order by row.created_at desc, row.id desc limit 1`, values))[0] ?? null;
    },
    positions: (owner) => readPositions(database, owner),
    nextDeploy: (owner, release) => findNextDeploy(database, owner, release),
    summary: (id) => readSummary(database, id),
    namedImages: (id) => readNamedImages(database, id),
    purge: (before, limit) => purgeRuns(database, before, limit),
  };
}
