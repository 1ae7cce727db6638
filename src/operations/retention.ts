/** Forgets runs that ended long ago, where the operator has said how long that is. */
import type { ArtifactStore } from "../artifacts/index.ts";
import { type Clock, errorMessage, type Logger } from "../kernel/index.ts";
import type { LogStore } from "../logs/index.ts";
import type { Purged, Store } from "../store/index.ts";

export interface RetentionDeps {
  readonly database: () => Promise<{
    readonly store: { readonly runs: Pick<Store["runs"], "purge"> };
    readonly artifacts: Pick<ArtifactStore, "remove">;
  }>;
  readonly logs: Pick<LogStore, "remove">;
  /** Null: everything is kept. */
  readonly retentionDays: number | null;
  readonly clock: Clock;
  readonly log: Logger;
}

const dayMs = 86_400_000;
/** Small, so that nobody waits for long behind one, and what a crash leaves of bytes without a row is little. */
const batch = 50;

/**
 * The rows first and then the bytes: what a reader sees is whole. Bytes that cannot be removed are named in the log, and
 * are nobody's.
 */
export async function forgetOldRuns(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  if (deps.retentionDays === null) return;
  const before = new Date(deps.clock.now().getTime() - deps.retentionDays * dayMs);
  const { store } = await deps.database();
  let runs = 0;
  while (!signal.aborted) {
    const purged = await store.runs.purge(before, batch);
    await removeBytes(deps, purged);
    runs += purged.runs.length;
    if (purged.runs.length < batch) break;
  }
  if (runs > 0) deps.log.info({ runs, before: before.toISOString() }, "forgot runs that ended long ago");
}

async function removeBytes({ database, logs, log }: RetentionDeps, purged: Purged): Promise<void> {
  const { artifacts } = await database();
  for (const { id } of purged.artifacts)
    await artifacts.remove(id).catch((error: unknown) => {
      log.warn({ artifact_id: id, error: errorMessage(error) }, "the bytes of a forgotten artifact stay");
    });
  for (const { executionId } of purged.logs)
    await logs.remove(executionId).catch((error: unknown) => {
      log.warn({ execution_id: executionId, error: errorMessage(error) }, "a forgotten log stays");
    });
}
