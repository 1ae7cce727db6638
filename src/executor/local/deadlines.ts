/** Things to be done at a time, by key. One sleep serves them all, so that setting and dropping one costs next to nothing. */
import { type Clock, wakeReason } from "../../kernel/index.ts";

export interface Deadlines {
  /** `run` is called once `afterMs` have passed, unless the key is dropped or set anew. It must not throw. */
  set(key: string, afterMs: number, run: () => void): void;
  drop(key: string): void;
  stop(): void;
}

export function createDeadlines(clock: Clock): Deadlines {
  const entries = new Map<string, { readonly due: number; readonly run: () => void }>();
  let nap: AbortController | null = null;
  let wakesAt = Number.POSITIVE_INFINITY;
  let stopped = false;

  async function sleepUntilNext(): Promise<void> {
    while (!stopped && entries.size > 0) {
      wakesAt = Math.min(...[...entries.values()].map((it) => it.due));
      nap = new AbortController();
      // A timer that is longer than 2^31 ms would fire at once; a day is short enough to look again.
      await clock.sleep(Math.min(Math.max(0, wakesAt - clock.monotonic()), 86_400_000), nap.signal);
      const now = clock.monotonic();
      for (const [key, { due, run }] of [...entries]) {
        if (stopped || due > now || entries.get(key)?.run !== run) continue;
        entries.delete(key);
        run();
      }
    }
    nap = null;
    wakesAt = Number.POSITIVE_INFINITY;
  }

  return {
    set(key, afterMs, run) {
      if (stopped) return;
      const due = clock.monotonic() + afterMs;
      entries.set(key, { due, run });
      if (nap === null) void sleepUntilNext();
      else if (due < wakesAt) nap.abort(wakeReason);
    },
    drop(key) {
      entries.delete(key);
    },
    stop() {
      stopped = true;
      entries.clear();
      nap?.abort(wakeReason);
    },
  };
}
