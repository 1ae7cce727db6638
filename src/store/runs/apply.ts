/**
 * Applies the changes of one reconcile: a ChangeSet becomes the flat argument of the database function
 * `apply_run_changes` (migrations/0001_baseline.sql): one round trip and one commit, all or nothing.
 */
import type { ChangeSet, ExecutionChange } from "../../domain/index.ts";
import {
  type ExecutionId,
  errorCode,
  errorMessage,
  type InstanceId,
  Problem,
  type RunId,
} from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";
import { storableJson, storableText } from "../db/text.ts";

/** The instance that writes, at the epoch it knows of itself. */
export interface Owner {
  readonly instance: InstanceId;
  readonly epoch: number;
}

export interface ApplyContext {
  /** The cause in a word or two, recorded with every transition. */
  readonly cause: string;
  /** New executions that the owner starts at once in free slots; the others wait to be claimed. */
  readonly claim?: readonly ExecutionId[];
}

type Entity = "run" | "phase" | "job" | "step" | "execution";

interface Move {
  readonly e: Entity;
  readonly i: string;
  readonly f: string | null;
  readonly t: string;
  readonly v?: unknown;
}

/**
 * Returns the run's new seq; null when nothing was changed because the run has moved on since `expectedSeq`, belongs to
 * another instance or epoch, or because another run's deployment took the release first: read the run and plan again.
 * @throws Problem internal when a row is not as the change set says, or a move is none of its machine's.
 */
export async function applyChanges(
  database: Queryable,
  runId: RunId,
  owner: Owner,
  expectedSeq: number,
  changes: ChangeSet,
  context: ApplyContext,
): Promise<{ readonly seq: number } | null> {
  const parameters = [
    runId,
    owner.instance,
    owner.epoch,
    expectedSeq,
    storableText(context.cause),
    storableJson(applyArgument(runId, changes, context.claim ?? [])),
  ];
  try {
    const rows = await database.query<{ seq: number | null }>(
      `select apply_run_changes($1::uuid, $2::uuid, $3::integer, $4::integer, $5::text, $6::jsonb) as seq`,
      parameters,
      { name: "runs.apply" },
    );
    const seq = rows[0]?.seq ?? null;
    return seq === null ? null : { seq };
  } catch (error) {
    if (isReleaseTaken(error)) return null;
    if (refusals.has(errorCode(error) ?? ""))
      throw new Problem(
        "internal",
        `The database refused a change of run ${runId}: ${errorMessage(error)}.`,
        {
          remedy: "Nothing was recorded; the next reconcile reads the run again.",
          cause: error,
        },
      );
    throw error;
  }
}

/** Errors of guards, of the function itself and of constraints: the change set does not fit the rows. */
const refusals = new Set(["SH001", "SH002", "23502", "23503", "23505", "23514"]);

function isReleaseTaken(error: unknown): boolean {
  return (
    errorCode(error) === "23505" &&
    error instanceof Error &&
    "constraint" in error &&
    error.constraint === "deployments_one_active"
  );
}

function applyArgument(
  runId: RunId,
  changes: ChangeSet,
  claim: readonly ExecutionId[],
): Record<string, unknown> {
  const { run } = changes;
  const before: Move[] = [];
  const after: Move[] = [];
  const executions = movesOf(changes.executions, (change, f, t, last) => {
    before.push({ e: "execution", i: change.id, f, t, ...(last ? { v: evidenceOf(change) } : {}) });
    return executionMove(change, f, t, last);
  });
  const steps = movesOf(
    changes.steps.map((step) => ({ ...step, path: [step.from, step.to] })),
    (change, f, t) => {
      before.push({ e: "step", i: change.id, f, t });
      return { id: change.id, f, t };
    },
  );
  for (const started of changes.newExecutions)
    before.push({ e: "execution", i: started.id, f: null, t: "pending", v: { attempt: started.attempt } });
  const jobs = movesOf(changes.jobs, (change, f, t, last) => {
    const why = last ? { reason: change.reason, message: change.message } : {};
    after.push({ e: "job", i: change.id, f, t, ...(last && change.reason !== null ? { v: why } : {}) });
    return { id: change.id, f, t, ...why };
  });
  for (const job of changes.newJobs)
    after.push({
      e: "job",
      i: job.id,
      f: null,
      t: "pending",
      v: { attempt: job.attempt, previous: job.previous },
    });
  if (run?.phase) after.push({ e: "phase", i: runId, f: run.phase.from, t: run.phase.to });
  if (run?.status)
    after.push({
      e: "run",
      i: runId,
      f: run.status.from,
      t: run.status.to,
      ...(run.reason === null ? {} : { v: { reason: run.reason, message: run.message } }),
    });
  return {
    transitions: [...before, ...after],
    split: before.length,
    ...(run === null
      ? {}
      : {
          run: {
            status: run.status === null ? null : [run.status.from, run.status.to],
            phase: run.phase === null ? null : [run.phase.from, run.phase.to],
            reason: run.reason,
            message: run.message,
          },
        }),
    ...filled("jobs", jobs),
    ...filled("steps", steps),
    ...filled("executions", executions),
    ...filled(
      "pending",
      changes.pendingSteps.map(({ jobId, to }) => ({ job: jobId, t: to })),
    ),
    ...filled(
      "artifacts",
      changes.artifacts.map(({ id, executionId, output }) => ({
        id,
        execution: executionId,
        name: output.name,
        type: output.type,
        path: output.storagePath,
        sha256: output.sha256,
        size: output.size,
        metadata: output.metadata,
      })),
    ),
    ...filled("attempts", changes.newJobs),
    ...filled(
      "started",
      changes.newExecutions.map(({ id, stepId, attempt }) => ({
        id,
        step: stepId,
        attempt,
        claimed: claim.includes(id),
      })),
    ),
  };
}

function filled(key: string, list: readonly unknown[]): Record<string, unknown> {
  return list.length === 0 ? {} : { [key]: list };
}

/** Spreads paths into moves; the moves of one row keep their order. */
function movesOf<Change extends { readonly path: readonly string[] }>(
  changes: readonly Change[],
  move: (change: Change, from: string, to: string, last: boolean) => Record<string, unknown>,
): Record<string, unknown>[] {
  return changes.flatMap((change) =>
    change.path
      .slice(1)
      .map((to, index) => move(change, change.path[index] ?? to, to, index === change.path.length - 2)),
  );
}

function executionMove(
  change: ExecutionChange,
  f: string,
  t: string,
  last: boolean,
): Record<string, unknown> {
  if (t === "running") return { id: change.id, f, t, begun_at: change.begunAt };
  if (!last) return { id: change.id, f, t };
  const { outcome } = change;
  return {
    id: change.id,
    f,
    t,
    reason: change.reason,
    message: change.message,
    exit_code: outcome?.exitCode ?? null,
    log_bytes: outcome?.logBytes ?? null,
    log_dropped: outcome?.logDropped ?? null,
    kill_strategy: outcome?.killedBy ?? null,
  };
}

function evidenceOf(change: ExecutionChange): unknown {
  const { outcome, reason, message, begunAt } = change;
  return outcome === null ? { begunAt } : { reason, message, outcome };
}
