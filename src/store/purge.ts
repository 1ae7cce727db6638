/** Retention. The database function `purge_runs` (migrations/0003) is the only thing that may delete history. */
import type { ArtifactId, ExecutionId, RunId } from "../kernel/index.ts";
import type { Queryable } from "./database.ts";

export interface Purged {
  readonly runs: readonly RunId[];
  /** Whose bytes are now nobody's and are the caller's to remove. */
  readonly artifacts: readonly { readonly id: ArtifactId; readonly backend: string; readonly path: string }[];
  readonly logs: readonly { readonly executionId: ExecutionId; readonly ref: string | null }[];
}

type PurgedRow =
  | { readonly kind: "run"; readonly id: RunId }
  | { readonly kind: "artifact"; readonly id: ArtifactId; readonly backend: string; readonly path: string }
  | { readonly kind: "log"; readonly id: ExecutionId; readonly path: string | null };

/**
 * One small batch: at most `limit` final runs that ended before `before`, the oldest first. A run with a deployment, or
 * with an artifact whose digest any deployment names, stays. Repeat until `runs` is empty.
 */
export async function purgeRuns(database: Queryable, before: Date, limit: number): Promise<Purged> {
  const rows = await database.query<PurgedRow>(
    "select p.kind, p.id, p.backend, p.path from purge_runs($1::timestamptz, $2::integer) p",
    [before, limit],
  );
  return {
    runs: rows.flatMap((row) => (row.kind === "run" ? [row.id] : [])),
    artifacts: rows.flatMap((row) =>
      row.kind === "artifact" ? [{ id: row.id, backend: row.backend, path: row.path }] : [],
    ),
    logs: rows.flatMap((row) => (row.kind === "log" ? [{ executionId: row.id, ref: row.path }] : [])),
  };
}
