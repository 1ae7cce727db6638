/**
 * What a server that runs for months does beside its requests: takes over runs whose process is gone, makes the months'
 * partitions, forgets old answers and, where that is wanted, old runs. Each is a loop of its own; one that fails is tried again at its next turn.
 */
import { createLoop, errorMessage, type Loop } from "../../kernel/index.ts";
import { lateMs } from "../callbacks/callbacks.ts";
import type { OperationsDeps } from "../deps.ts";
import { recover } from "./recovery.ts";
import { forgetOldRuns } from "./retention.ts";

/** As long as a lease: nobody is found dead sooner. */
const recoverMs = 30_000;
/** Milliseconds after which a first recovery that failed is tried again. */
const againMs = 1_000;
const hourMs = 3_600_000;
const purgeBatch = 1_000;

export interface Caretaker extends AsyncDisposable {
  /** Makes what requests need. */
  prepare(): Promise<void>;
  /** Begins to take over what was left behind, lets the orchestrator start, and goes on by itself. */
  start(): void;
  /** What of the first recovery is still missing, as a sentence; null: nothing. */
  missing(): string | null;
}

export function createCaretaker(deps: OperationsDeps): Caretaker {
  const recovery = loop("taking over runs", recoverMs, (signal) => recover(deps, signal));
  const loops: Loop[] = [
    loop("making partitions", 24 * hourMs, makePartitions),
    loop("forgetting old answers", hourMs, forgetAnswers),
    loop("forgetting old runs", hourMs, (signal) => forgetOldRuns(deps, signal)),
    loop("gathering what was fetched", 24 * hourMs, (signal) => deps.source.tidy(signal)),
    loop("sealing what is waited for no more", hourMs, sealOverdue),
  ];

  const stopping = new AbortController();
  let missing: string | null = "The runs of the process before this one are being taken over.";
  let first: Promise<void> | undefined;

  /** Until nothing is left behind that the start found. */
  async function recoverFirst(): Promise<void> {
    const { orchestrator } = await deps.database();
    const { signal } = stopping;
    while (!signal.aborted) {
      try {
        await recover(deps, signal, {
          owned: () => orchestrator.start(),
          looked(done, all) {
            missing = `${done} of ${all} runs that were taken over have been looked at.`;
          },
        });
        break;
      } catch (error) {
        deps.log.error({ error: errorMessage(error) }, "taking over runs failed; it is tried again");
        await deps.clock.sleep(againMs, signal);
      }
    }
    if (signal.aborted) return;
    missing = null;
    recovery.start();
  }

  function loop(what: string, everyMs: number, runOnce: (signal: AbortSignal) => Promise<void>): Loop {
    const onError = (error: unknown) =>
      deps.log.error({ error: errorMessage(error) }, `${what} failed; the next turn tries again`);
    return createLoop({ clock: deps.clock, everyMs, runOnce, onError });
  }

  async function makePartitions(): Promise<void> {
    const { store } = await deps.database();
    await store.transitions.ensurePartitions(2);
  }

  async function forgetAnswers(): Promise<void> {
    const { store } = await deps.database();
    while ((await store.idempotency.purge(purgeBatch)) === purgeBatch);
  }

  /** What executors elsewhere did not send within their day, and what they sent for nothing. */
  async function sealOverdue(): Promise<void> {
    const { store, artifacts } = await deps.database();
    for (;;) {
      const overdue = await store.reports.overdue(lateMs, purgeBatch);
      for (const id of overdue) {
        await deps.logs.seal(id);
        await store.reports.seal(id, false);
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
