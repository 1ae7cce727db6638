/** Expires runs that ended longer ago than the operator wants to keep them. */
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
  /** Null: keep everything. */
  readonly retentionDays: number | null;
  readonly clock: Clock;
  readonly log: Logger;
}

const dayMs = 86_400_000;
/** Maximum number of runs per transaction: small, so that no other waits long for its locks. */
const batch = 50;

/**
 * Deletes the rows first and then the bytes, so that readers see whole runs. The deletion records which bytes to remove,
 * so a later turn removes those that this one could not.
 */
export async function expireRuns(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
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
  if (runs > 0)
    deps.log.info({ runs, before: before.toISOString() }, "Runs that ended long ago were removed.");
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
          "Bytes of a removed run cannot be removed and are tried again.",
        );
      }
    }
    await store.discards.forget(gone);
    if (found.length < batch) break;
  }
}
