/**
 * The maintenance of a server: takes ownership of runs whose process is gone, makes the partitions of the months, expires
 * old idempotency keys and, where that is configured, old runs. Each is a loop of its own that retries at its next turn.
 */
import { createLoop, errorMessage, type Loop } from "../../kernel/index.ts";
import { lateMs } from "../callbacks/callbacks.ts";
import type { ServiceDeps } from "../deps.ts";
import { recover } from "./recovery.ts";
import { expireRuns } from "./retention.ts";

/** Milliseconds of a lease: no instance is found dead sooner. */
const recoverMs = 30_000;
/** Milliseconds after which a first recovery that failed is tried again. */
const againMs = 1_000;
const hourMs = 3_600_000;
const purgeBatch = 1_000;

export interface Maintenance extends AsyncDisposable {
  /** Makes the partitions that requests need. */
  prepare(): Promise<void>;
  /** Begins the recovery, starts the orchestrator, and continues in the background. */
  start(): void;
  /** The unfinished part of the first recovery, as a sentence; null: it is finished. */
  missing(): string | null;
}

export function createMaintenance(deps: ServiceDeps): Maintenance {
  const recovery = loop("Taking ownership of runs", recoverMs, (signal) => recover(deps, signal));
  const loops: Loop[] = [
    loop("Making partitions", 24 * hourMs, makePartitions),
    loop("Expiring idempotency keys", hourMs, expireKeys),
    loop("Expiring runs", hourMs, (signal) => expireRuns(deps, signal)),
    loop("Repacking mirrors", 24 * hourMs, (signal) => deps.source.repack(signal)),
    loop("Closing overdue reports", hourMs, closeOverdue),
  ];

  const stopping = new AbortController();
  let missing: string | null = "The runs of the previous process are being recovered.";
  let first: Promise<void> | undefined;

  /** Repeats the recovery until it succeeds once. */
  async function recoverFirst(): Promise<void> {
    const { orchestrator } = await deps.database();
    const { signal } = stopping;
    while (!signal.aborted) {
      try {
        await recover(deps, signal, {
          owned: () => orchestrator.start(),
          reconciled(done, all) {
            missing = `${done} of ${all} recovered runs have been reconciled.`;
          },
        });
        break;
      } catch (error) {
        deps.log.error({ error: errorMessage(error) }, "The recovery of runs failed and is repeated.");
        await deps.clock.sleep(againMs, signal);
      }
    }
    if (signal.aborted) return;
    missing = null;
    recovery.start();
  }

  function loop(what: string, everyMs: number, runOnce: (signal: AbortSignal) => Promise<void>): Loop {
    const onError = (error: unknown) =>
      deps.log.error({ error: errorMessage(error) }, `${what} failed and is retried at its next turn.`);
    return createLoop({ clock: deps.clock, everyMs, runOnce, onError });
  }

  async function makePartitions(): Promise<void> {
    const { store } = await deps.database();
    await store.transitions.ensurePartitions(2);
  }

  async function expireKeys(): Promise<void> {
    const { store } = await deps.database();
    while ((await store.idempotency.purge(purgeBatch)) === purgeBatch);
  }

  /** Closes logs that remote executors did not complete in time, and removes uploads that nothing uses. */
  async function closeOverdue(): Promise<void> {
    const { store, artifacts } = await deps.database();
    for (;;) {
      const overdue = await store.reports.overdue(lateMs, purgeBatch);
      for (const id of overdue) {
        await deps.logs.seal(id);
        await store.reports.closeLog(id, false);
      }
      if (overdue.length < purgeBatch) break;
    }
    for (;;) {
      const orphans = await store.reports.takeOrphans(purgeBatch);
      for (const id of orphans) await artifacts.remove(id);
      if (orphans.length < purgeBatch) return;
    }
  }

  return {
    prepare: makePartitions,
    start() {
      first ??= recoverFirst();
      for (const one of loops) one.start();
    },
    missing: () => missing,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await first;
      await Promise.all([recovery, ...loops].map((one) => one.stop()));
    },
  };
}
