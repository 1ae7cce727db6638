/**
 * A loop that waits for tick, notification or abort. `wake()` during a pass makes one more pass follow at once; any
 * number of wakes coalesce. The body decides nothing about time. `stop()` is idempotent, aborts the body's signal and
 * resolves when the last pass has ended. An error of the body goes to `onError` and the loop goes on: the next tick is
 * the retry.
 */
import { type Clock, slept } from "./clock.ts";

export interface LoopOptions {
  readonly clock: Clock;
  /** Milliseconds between passes when nobody wakes the loop. */
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
  let nap = new AbortController();
  let woken = false;
  let running: Promise<void> | undefined;

  async function body(): Promise<void> {
    while (!abort.signal.aborted) {
      if (!woken) {
        nap = new AbortController();
        await options.clock.sleep(options.everyMs, nap.signal);
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
      running ??= body();
    },
    wake() {
      woken = true;
      nap.abort(slept);
    },
    async stop() {
      abort.abort();
      nap.abort(slept);
      await running;
    },
    [Symbol.asyncDispose]: () => loop.stop(),
  };
  return loop;
}
