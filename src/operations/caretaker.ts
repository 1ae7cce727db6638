/**
 * What a server that runs for months does beside its requests: takes over runs whose process is gone, makes the months'
 * partitions, forgets old answers and, where that is wanted, old runs. Each is a loop of its own; one that fails is tried again at its next turn.
 */
import { createLoop, errorMessage, type Loop } from "../kernel/index.ts";
import { lateMs } from "./callbacks.ts";
import type { OperationsDeps } from "./deps.ts";
import { abandonedRuns, takeOver } from "./recovery.ts";
import { forgetOldRuns } from "./retention.ts";

/** As long as a lease: nobody is found dead sooner. */
const recoverMs = 30_000;
const hourMs = 3_600_000;
const purgeBatch = 1_000;

export interface Caretaker extends AsyncDisposable {
  /** Takes over what was left behind, then goes on by itself. */
  start(): Promise<void>;
}

export function createCaretaker(deps: OperationsDeps): Caretaker {
  const loops: Loop[] = [
    loop("taking over runs", recoverMs, () => recover(deps)),
    loop("making partitions", 24 * hourMs, makePartitions),
    loop("forgetting old answers", hourMs, forgetAnswers),
    loop("forgetting old runs", hourMs, (signal) => forgetOldRuns(deps, signal)),
    loop("gathering what was fetched", 24 * hourMs, (signal) => deps.source.tidy(signal)),
    loop("sealing what is waited for no more", hourMs, sealOverdue),
  ];

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
    async start() {
      await Promise.all([recover(deps), makePartitions()]);
      for (const one of loops) one.start();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(loops.map((one) => one.stop()));
    },
  };
}

/** Carries on what nobody carries. A run that somebody else takes first is theirs. */
async function recover(deps: OperationsDeps): Promise<void> {
  const { orchestrator } = await deps.database();
  for (const run of await abandonedRuns(deps)) {
    try {
      await takeOver(deps, run.id);
      await orchestrator.carry(run.id);
      deps.log.info({ pipeline_run_id: run.id }, "took over a run whose process is gone");
    } catch (error) {
      deps.log.warn(
        { pipeline_run_id: run.id, error: errorMessage(error) },
        "a run whose process is gone was not taken over; the next turn tries again",
      );
    }
  }
}
