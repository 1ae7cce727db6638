/** Followers of logs. Each reads at its own pace. Followers of one log share a tailer, which ends with the last one. */
import fs, { watch } from "node:fs";
import { Problem } from "../kernel/index.ts";
import { readAt, Tailer, type TailerDeps } from "./tailer.ts";
import type { FollowRequest, LogBytes, WatchDirectory } from "./types.ts";

export const watchDirectory: WatchDirectory = (directory, notify) => {
  const watcher = watch(directory, notify);
  // The directory was removed, or the kernel stopped watching it. Polling continues.
  watcher.on("error", notify);
  return { [Symbol.dispose]: () => watcher.close() };
};

export class Followers {
  readonly #deps: TailerDeps;
  readonly #tailers = new Map<string, Tailer>();

  constructor(deps: TailerDeps) {
    this.#deps = deps;
  }

  /** Wakes the followers of a log that this process has changed. */
  notify(directory: string): void {
    this.#tailers.get(directory)?.notify();
  }

  async *follow(directory: string, request: FollowRequest): AsyncGenerator<LogBytes, void, undefined> {
    const { signal, ended } = request;
    let { offset } = request;
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new Problem("usage", `${offset} is not an offset of a log.`, { place: "offset" });
    // A log that has ended needs no watch and no directory.
    const tailer = signal.aborted || ended.aborted ? null : this.#join(directory);
    const wakeup = createWakeup();
    const leave = () => tailer !== null && this.#leave(directory, tailer, wakeup);
    tailer?.subscribe(wakeup.notify);
    // Leave on abort, because the generator does not run while its consumer does not read.
    signal.addEventListener("abort", leave, { once: true });
    for (const source of [signal, ended]) source.addEventListener("abort", wakeup.notify, { once: true });
    try {
      while (!signal.aborted) {
        // Arm before reading: a change from here on wakes this follower and the next read sees it.
        wakeup.arm();
        const over = ended.aborted;
        // A shared read may have begun before the end, so the last read is not shared.
        const read = await (over || tailer === null ? readAt(directory, offset) : tailer.read(offset));
        if (signal.aborted) return;
        if (read.bytes.length > 0) {
          yield { offset, bytes: read.bytes };
          offset += read.bytes.length;
        } else if (over || read.atEnd) return;
        else await wakeup.wait();
      }
    } finally {
      for (const source of [signal, ended]) source.removeEventListener("abort", wakeup.notify);
      signal.removeEventListener("abort", leave);
      leave();
    }
  }

  #join(directory: string): Tailer {
    const present = this.#tailers.get(directory);
    if (present !== undefined) return present;
    // A watch needs the directory before the first byte exists.
    fs.mkdirSync(directory, { recursive: true });
    const tailer = new Tailer(directory, this.#deps);
    this.#tailers.set(directory, tailer);
    return tailer;
  }

  /** Acts once per follower. */
  #leave(directory: string, tailer: Tailer, wakeup: Wakeup): void {
    if (!tailer.unsubscribe(wakeup.notify) || tailer.followers > 0) return;
    this.#tailers.delete(directory);
    tailer[Symbol.dispose]();
  }
}

interface Wakeup {
  readonly notify: () => void;
  arm(): void;
  /** Resolves when `notify` was called since `arm`. */
  wait(): Promise<void>;
}

function createWakeup(): Wakeup {
  let notified = false;
  let waiting: (() => void) | null = null;
  return {
    notify() {
      notified = true;
      waiting?.();
    },
    arm() {
      notified = false;
    },
    async wait() {
      if (notified) return;
      await new Promise<void>((resolve) => {
        waiting = resolve;
      });
      waiting = null;
    },
  };
}
