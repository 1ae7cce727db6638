/** What processes that were killed have left behind, and nobody will ask for. Only what is known to be over goes. */

import type { ArtifactStore } from "../../artifacts/index.ts";
import { isFinalStage } from "../../domain/index.ts";
import { brandId, errorMessage, type JobId, type Logger } from "../../kernel/index.ts";
import type { NodeRow, Store } from "../../store/index.ts";

export interface HousekeepingDeps {
  readonly store: Store;
  readonly artifacts: Pick<ArtifactStore, "sweepTemporary">;
  /** Closes every job attempt (`<job id>.<attempt>`) that has something on disk and is over. */
  readonly sweepWorkspaces: (isOver: (key: string) => Promise<boolean>) => Promise<readonly string[]>;
  readonly isAlive: (node: NodeRow) => boolean;
  readonly log: Logger;
}

const nodesLookedAt = 1000;

/** Never fails: what could not be tidied is tidied at the next start. */
export async function tidy({
  store,
  artifacts,
  sweepWorkspaces,
  isAlive,
  log,
}: HousekeepingDeps): Promise<void> {
  try {
    const closed = await sweepWorkspaces(async (key) => {
      const job = await store.jobs.get(brandId<JobId>(key.slice(0, key.lastIndexOf("."))));
      return job !== null && isFinalStage(job.status);
    });
    // A writer that is not in this list came after it was made, and lives.
    const { items: nodes } = await store.nodes.list({ limit: nodesLookedAt });
    const dead = new Set<string>(
      nodes.filter((node) => node.ended_at !== null || !isAlive(node)).map(({ id }) => id),
    );
    const removed = await artifacts.sweepTemporary((nodeId) => !dead.has(nodeId));
    if (closed.length + removed > 0) log.info({ workspaces: closed.length, uploads: removed }, "tidied up");
  } catch (error) {
    log.warn({ error: errorMessage(error) }, "tidying up failed; the next start tries again");
  }
}
