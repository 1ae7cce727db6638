/** Removes files that killed processes have left behind. Only files of finished jobs and ended instances are removed. */

import type { ArtifactStore } from "../../artifacts/index.ts";
import { isFinalStage } from "../../domain/index.ts";
import { brandId, errorMessage, type JobId, type Logger } from "../../kernel/index.ts";
import type { InstanceRow, Store } from "../../store/index.ts";

export interface CleanupDeps {
  readonly store: Store;
  readonly artifacts: Pick<ArtifactStore, "removeTemporary">;
  /** Closes every job attempt (`<job id>.<attempt>`) that is over and still has files. */
  readonly sweepWorkspaces: (isOver: (key: string) => Promise<boolean>) => Promise<readonly string[]>;
  readonly isAlive: (instance: InstanceRow) => boolean;
  readonly log: Logger;
}

const maxInstances = 1000;

/** Never fails: the next start repeats a failed cleanup. */
export async function cleanUp({
  store,
  artifacts,
  sweepWorkspaces,
  isAlive,
  log,
}: CleanupDeps): Promise<void> {
  try {
    const closed = await sweepWorkspaces(async (key) => {
      const job = await store.jobs.get(brandId<JobId>(key.slice(0, key.lastIndexOf("."))));
      return job !== null && isFinalStage(job.status);
    });
    // A writer that is missing in this list has registered after it was read, and lives.
    const { items: instances } = await store.instances.list({ limit: maxInstances });
    const dead = new Set<string>(
      instances.filter((one) => one.ended_at !== null || !isAlive(one)).map(({ id }) => id),
    );
    const removed = await artifacts.removeTemporary((instanceId) => !dead.has(instanceId));
    if (closed.length + removed > 0)
      log.info({ workspaces: closed.length, uploads: removed }, "Files of killed processes were removed.");
  } catch (error) {
    log.warn({ error: errorMessage(error) }, "The cleanup failed and is repeated at the next start.");
  }
}
