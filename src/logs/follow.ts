/** Followers of logs: each pulls at its own pace; those of one log share a tailer, which lives as long as they do. */
import fs, { watch } from "node:fs";
import { Problem } from "../kernel/index.ts";
import { lookAt, Tailer, type TailerDeps } from "./tailer.ts";
import type { FollowRequest, LogBytes, WatchDirectory } from "./types.ts";

export const watchDirectory: WatchDirectory = (directory, notify) => {
  const watcher = watch(directory, notify);
  // The directory was removed, or the kernel gave up on it: the sweep goes on.
  watcher.on("error", notify);
  return { [Symbol.dispose]: () => watcher.close() };
};

export class Followers {
  readonly #deps: TailerDeps;
  readonly #tailers = new Map<string, Tailer>();

  constructor(deps: TailerDeps) {
    this.#deps = deps;
  }

  /** Wakes the followers of a log that was changed by this process. */
  notify(directory: string): void {
    this.#tailers.get(directory)?.notify();
  }

  async *follow(directory: string, request: FollowRequest): AsyncGenerator<LogBytes, void, undefined> {
    const { signal, ended } = request;
    let { offset } = request;
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new Problem("usage", `a log has no offset ${offset}`, { place: "offset" });
    // Of a log that has ended nothing more is to be watched, and nothing is made for it.
    const tailer = signal.aborted || ended.aborted ? null : this.#join(directory);
    const bell = createBell();
    const leave = () => tailer !== null && this.#leave(directory, tailer, bell);
    tailer?.subscribe(bell.ring);
    // At once, as a reader that does not read would otherwise keep the watch after it was aborted.
    signal.addEventListener("abort", leave, { once: true });
    for (const told of [signal, ended]) told.addEventListener("abort", bell.ring, { once: true });
    try {
      while (!signal.aborted) {
        // The order matters: what changes or ends from here on rings, and is seen by the next look.
        bell.arm();
        const over = ended.aborted;
        // A shared look may have begun before the end; the last one is one's own.
        const look = await (over || tailer === null ? lookAt(directory, offset) : tailer.look(offset));
        if (signal.aborted) return;
        if (look.bytes.length > 0) {
          yield { offset, bytes: look.bytes };
          offset += look.bytes.length;
        } else if (over || look.over) return;
        else await bell.rung();
      }
    } finally {
      for (const told of [signal, ended]) told.removeEventListener("abort", bell.ring);
      signal.removeEventListener("abort", leave);
      leave();
    }
  }

  #join(directory: string): Tailer {
    const present = this.#tailers.get(directory);
    if (present !== undefined) return present;
    // Something must be there to be watched before the first byte is.
    fs.mkdirSync(directory, { recursive: true });
    const tailer = new Tailer(directory, this.#deps);
    this.#tailers.set(directory, tailer);
    return tailer;
  }

  /** Once per follower. */
  #leave(directory: string, tailer: Tailer, bell: Bell): void {
    if (!tailer.unsubscribe(bell.ring) || tailer.followers > 0) return;
    this.#tailers.delete(directory);
    tailer[Symbol.dispose]();
  }
}

interface Bell {
  readonly ring: () => void;
  arm(): void;
  /** Resolves when it has rung since it was armed. */
  rung(): Promise<void>;
}

function createBell(): Bell {
  let rang = false;
  let waiting: (() => void) | null = null;
  return {
    ring() {
      rang = true;
      waiting?.();
    },
    arm() {
      rang = false;
    },
    async rung() {
      if (rang) return;
      await new Promise<void>((resolve) => {
        waiting = resolve;
      });
      waiting = null;
    },
  };
}
