/** Forgets runs that ended long ago, where the operator has said how long that is. */
import type { ArtifactStore } from "../../artifacts/index.ts";
import { type Clock, errorMessage, type Logger } from "../../kernel/index.ts";
import type { LogStore } from "../../logs/index.ts";
import type { Discarded, Store } from "../../store/index.ts";

export interface RetentionDeps {
  readonly database: () => Promise<{
    readonly store: {
      readonly runs: Pick<Store["runs"], "purge">;
      readonly pipelines: Pick<Store["pipelines"], "purgeArchived">;
      readonly secrets: Pick<Store["secrets"], "purgeRetired">;
      readonly discards: Store["discards"];
    };
    readonly artifacts: Pick<ArtifactStore, "remove">;
  }>;
  readonly logs: Pick<LogStore, "remove">;
  /** Null: everything is kept. */
  readonly retentionDays: number | null;
  readonly clock: Clock;
  readonly log: Logger;
}

const dayMs = 86_400_000;
/** Small, so that nobody waits for long behind one. */
const batch = 50;

/**
 * The rows first and then the bytes: what a reader sees is whole. Which bytes are nobody's now is written down with the
 * rows' deletion, so those that cannot be removed, or were not when the process died, are removed by a later turn.
 */
export async function forgetOldRuns(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  if (deps.retentionDays !== null) await purge(deps, deps.retentionDays, signal);
  const { store } = await deps.database();
  await store.pipelines.purgeArchived();
  await store.secrets.purgeRetired();
  await removeBytes(deps, signal);
}

async function purge(deps: RetentionDeps, days: number, signal: AbortSignal): Promise<void> {
  const before = new Date(deps.clock.now().getTime() - days * dayMs);
  const { store } = await deps.database();
  let runs = 0;
  while (!signal.aborted) {
    const purged = await store.runs.purge(before, batch);
    runs += purged.length;
    if (purged.length < batch) break;
  }
  if (runs > 0) deps.log.info({ runs, before: before.toISOString() }, "forgot runs that ended long ago");
}

async function removeBytes({ database, logs, log }: RetentionDeps, signal: AbortSignal): Promise<void> {
  const { store, artifacts } = await database();
  const remove = ({ kind, id }: Discarded) => (kind === "artifact" ? artifacts.remove(id) : logs.remove(id));
  let last: Discarded | null = null;
  while (!signal.aborted) {
    const found: readonly Discarded[] = await store.discards.list(batch, last);
    const gone: Discarded[] = [];
    for (const discarded of found) {
      last = discarded;
      try {
        await remove(discarded);
        gone.push(discarded);
      } catch (error) {
        log.warn(
          { ...discarded, error: errorMessage(error) },
          "bytes of a forgotten run cannot be removed; the next turn tries again",
        );
      }
    }
    await store.discards.forget(gone);
    if (found.length < batch) break;
  }
}
