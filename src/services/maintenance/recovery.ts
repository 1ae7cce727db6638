/** Runs whose process is gone: finding them, recording what has ended, and taking them over. */
import { Problem, type RunId } from "../../kernel/index.ts";
import type { Owner, RunRow } from "../../store/index.ts";
import type { ServiceDeps } from "../deps.ts";
import { runName } from "../runs/references.ts";

/** Maximum number of runs whose ownership one statement takes. */
const takenTogether = 1_000;

/** Maximum number of runs that are reconciled at the same time. */
const reconciledTogether = 250;

/** Reads the unfinished runs whose owner is gone, by the evidence of this machine or of the lease. */
export async function abandonedRuns(deps: ServiceDeps): Promise<readonly RunRow[]> {
  const { store } = await deps.database();
  const abandoned: RunRow[] = [];
  for (const owner of await store.runs.owners())
    if (await isAbandoned(deps, owner)) abandoned.push(...(await store.runs.unfinished(owner)));
  return abandoned;
}

/**
 * Takes ownership of all abandoned runs, then reconciles them: running executions occupy their slots before anything new
 * is claimed. Runs that another process takes first are left to it. Can be repeated after a failure.
 * @param owned called when no abandoned run is left
 */
export async function recover(
  deps: ServiceDeps,
  signal: AbortSignal,
  { owned, reconciled }: { owned?: () => void; reconciled?: (done: number, all: number) => void } = {},
): Promise<void> {
  const { store, orchestrator, owner: self } = await deps.database();
  const taken: RunId[] = [];
  const owners = await store.runs.owners();
  for (const owner of owners) {
    if (!(await isAbandoned(deps, owner))) continue;
    for (;;) {
      if (signal.aborted) return;
      const runs = await store.runs.takeOwnershipOfMany(owner, self, takenTogether);
      if (runs.length === 0) break;
      orchestrator.own(runs);
      taken.push(...runs.map(({ id }) => id));
    }
    // The dead process can no longer write: its epoch has passed.
    if (owner !== null) await store.instances.end(owner);
  }
  owned?.();
  if (taken.length > 0)
    deps.log.info({ runs: taken.length }, "Took ownership of runs whose process is gone.");
  for (let from = 0; from < taken.length && !signal.aborted; from += reconciledTogether) {
    await Promise.all(taken.slice(from, from + reconciledTogether).map(orchestrator.enqueue));
    reconciled?.(Math.min(from + reconciledTogether, taken.length), taken.length);
  }
  if (owners.some((owner) => owner?.instance === self.instance)) await orchestrator.resync();
}

async function isAbandoned(deps: ServiceDeps, of: Owner | null): Promise<boolean> {
  if (of === null) return true;
  const { owner } = await deps.database();
  return of.instance === owner.instance ? deps.mode === "read" : await isGone(deps, of);
}

/** Returns true for a process that ended, was declared dead, or is gone by the evidence of this machine or of its lease. */
export async function isGone(
  deps: Pick<ServiceDeps, "database" | "isAlive">,
  { instance: id, epoch }: Owner,
): Promise<boolean> {
  const row = await (await deps.database()).store.instances.get(id);
  return row === null || row.ended_at !== null || row.epoch !== epoch || !deps.isAlive(row);
}

/** @throws Problem conflict when another process owns the run, or took it first */
export async function takeOwnership(deps: ServiceDeps, runId: RunId): Promise<void> {
  const { store, owner } = await deps.database();
  const run = await store.runs.get(runId);
  if (run === null) throw new Problem("not_found", `There is no run ${runId}.`);
  const { owner_id: instance, owner_epoch: epoch } = run;
  const from = instance === null || epoch === null ? null : { instance, epoch };
  if ((await isAbandoned(deps, from)) && (await store.runs.takeOwnership(runId, from, owner))) {
    // The dead process can no longer write: its epoch has passed.
    if (from !== null) await store.instances.end(from);
    return;
  }
  throw new Problem("conflict", `Run ${runName(run)} is owned by another process.`, {
    remedy: `Follow it with: shipinator logs ${run.id} --follow`,
  });
}

/** Returns false when another command has taken the same run first. */
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
 * Records what has ended of abandoned runs and starts nothing, then disowns the runs: this process may stay for long
 * (`logs --follow`), and the process that owns them next must not wait for it, nor share their steps with it.
 * @param letGo stops following the steps that still run
 */
export async function observeAbandoned(deps: ServiceDeps, letGo: () => Promise<void>): Promise<void> {
  const { store, orchestrator, owner } = await deps.database();
  const taken: RunId[] = [];
  for (const { id } of await abandonedRuns(deps)) if (await wins(takeOwnership(deps, id))) taken.push(id);
  if (taken.length === 0) return;
  try {
    for (const id of taken) await orchestrator.observe(id);
  } finally {
    await letGo();
    for (const id of taken) await store.runs.disown(id, owner);
  }
}
