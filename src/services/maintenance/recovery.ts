/** Runs whose process is gone: finding them, recording what has ended, and taking them over. */
import { Problem, type RunId } from "../../kernel/index.ts";
import type { Owner, RunRow } from "../../store/index.ts";
import type { OperationsDeps } from "../deps.ts";
import { runName } from "../runs/references.ts";

/** Runs that are taken over by one statement. */
const takenTogether = 1_000;

/** Runs that are not final and whose owner, by the evidence of this machine or of the lease, lives no more. */
export async function abandonedRuns(deps: OperationsDeps): Promise<readonly RunRow[]> {
  const { store } = await deps.database();
  const abandoned: RunRow[] = [];
  for (const owner of await store.runs.owners())
    if (await isAbandoned(deps, owner)) abandoned.push(...(await store.runs.unfinished(owner)));
  return abandoned;
}

/**
 * Takes over all that nobody carries, and looks at it afterwards: what was left running occupies its slots before anything
 * new is claimed. What somebody else takes first is theirs. Can be called again after a failure.
 * @param owned called when nothing is left to be taken over
 */
export async function recover(
  deps: OperationsDeps,
  signal: AbortSignal,
  { owned, looked }: { owned?: () => void; looked?: (done: number, all: number) => void } = {},
): Promise<void> {
  const { store, orchestrator, owner: self } = await deps.database();
  const taken: RunId[] = [];
  const owners = await store.runs.owners();
  for (const owner of owners) {
    if (!(await isAbandoned(deps, owner))) continue;
    for (;;) {
      if (signal.aborted) return;
      const runs = await store.runs.takeOverMany(owner, self, takenTogether);
      if (runs.length === 0) break;
      orchestrator.own(runs);
      taken.push(...runs.map(({ id }) => id));
    }
    // The dead process writes no more: its epoch has passed.
    if (owner !== null) await store.nodes.end(owner);
  }
  owned?.();
  if (taken.length > 0) deps.log.info({ runs: taken.length }, "took over runs whose process is gone");
  await orchestrator.reconcile(taken, signal, (done) => looked?.(done, taken.length));
  if (owners.some((owner) => owner?.node === self.node)) await orchestrator.sweep();
}

async function isAbandoned(deps: OperationsDeps, of: Owner | null): Promise<boolean> {
  if (of === null) return true;
  const { owner } = await deps.database();
  return of.node === owner.node ? deps.mode === "read" : await isGone(deps, of);
}

/** True for a process that ended, was judged dead, or lives no more by the evidence of this machine or of its lease. */
export async function isGone(
  deps: Pick<OperationsDeps, "database" | "isAlive">,
  { node: id, epoch }: Owner,
): Promise<boolean> {
  const node = await (await deps.database()).store.nodes.get(id);
  return node === null || node.ended_at !== null || node.epoch !== epoch || !deps.isAlive(node);
}

/** @throws Problem conflict when somebody carries it, or has taken it over first */
export async function takeOver(deps: OperationsDeps, runId: RunId): Promise<void> {
  const { store, owner } = await deps.database();
  const run = await store.runs.get(runId);
  if (run === null) throw new Problem("not_found", `there is no run ${runId}`);
  const { owner_node: node, owner_epoch: epoch } = run;
  const from = node === null || epoch === null ? null : { node, epoch };
  if ((await isAbandoned(deps, from)) && (await store.runs.takeOver(runId, from, owner))) {
    // The dead process writes no more: its epoch has passed.
    if (from !== null) await store.nodes.end(from);
    return;
  }
  throw new Problem("conflict", `Run ${runName(run)} is carried by another process.`, {
    remedy: `Follow it with: shipinator logs ${run.id} --follow`,
  });
}

/** Two commands may find the same run; the one that comes second has nothing to do. */
async function wins(taking: Promise<void>): Promise<boolean> {
  try {
    await taking;
    return true;
  } catch (error) {
    if (error instanceof Problem && error.code === "conflict") return false;
    throw error;
  }
}

/**
 * Writes down what has ended of abandoned runs and starts nothing. The runs are nobody's afterwards: this process may
 * stay for long (`logs --follow`), and who wants to carry them must not wait for that, nor share their steps with it.
 * @param letGo ends the following of what still runs
 */
export async function recordAbandoned(deps: OperationsDeps, letGo: () => Promise<void>): Promise<void> {
  const { store, orchestrator, owner } = await deps.database();
  const taken: RunId[] = [];
  for (const { id } of await abandonedRuns(deps)) if (await wins(takeOver(deps, id))) taken.push(id);
  if (taken.length === 0) return;
  try {
    for (const id of taken) await orchestrator.record(id);
  } finally {
    await letGo();
    for (const id of taken) await store.runs.leave(id, owner);
  }
}
