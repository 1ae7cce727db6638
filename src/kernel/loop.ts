/**
 * A loop that waits for an interval, a wake-up or an abort. A `wake()` during an iteration makes one more iteration follow
 * immediately; several calls coalesce into one. `stop()` is idempotent, aborts the signal of the iteration and resolves
 * when the last iteration has ended. An error goes to `onError` and the loop continues: the next iteration is the retry.
 */
import { type Clock, wakeReason } from "./clock.ts";

export interface LoopOptions {
  readonly clock: Clock;
  /** Milliseconds between iterations when nobody wakes the loop. */
  readonly everyMs: number;
  readonly runOnce: (signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export interface Loop extends AsyncDisposable {
  start(): void;
  wake(): void;
  stop(): Promise<void>;
}

export function createLoop(options: LoopOptions): Loop {
  const abort = new AbortController();
  let sleep = new AbortController();
  let woken = false;
  let running: Promise<void> | undefined;

  async function iterate(): Promise<void> {
    while (!abort.signal.aborted) {
      if (!woken) {
        sleep = new AbortController();
        await options.clock.sleep(options.everyMs, sleep.signal);
      }
      if (abort.signal.aborted) return;
      woken = false;
      try {
        await options.runOnce(abort.signal);
      } catch (error) {
        if (!abort.signal.aborted) options.onError(error);
      }
    }
  }

  const loop: Loop = {
    start() {
      running ??= iterate();
    },
    wake() {
      woken = true;
      sleep.abort(wakeReason);
    },
    async stop() {
      abort.abort();
      sleep.abort(wakeReason);
      await running;
    },
    [Symbol.asyncDispose]: () => loop.stop(),
  };
  return loop;
}
