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

interface Shared {
  readonly tailer: Tailer;
  followers: number;
}

export class Followers {
  readonly #deps: TailerDeps;
  readonly #tailers = new Map<string, Shared>();

  constructor(deps: TailerDeps) {
    this.#deps = deps;
  }

  /** Wakes the followers of a log that was changed by this process. */
  notify(directory: string): void {
    this.#tailers.get(directory)?.tailer.notify();
  }

  async *follow(directory: string, request: FollowRequest): AsyncGenerator<LogBytes, void, undefined> {
    const { signal, ended } = request;
    let { offset } = request;
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new Problem("usage", `a log has no offset ${offset}`, { place: "offset" });
    // Of a log that has ended nothing more is to be watched, and nothing is made for it.
    const shared = signal.aborted || ended.aborted ? null : this.#join(directory);
    const bell = createBell();
    shared?.tailer.subscribe(bell.ring);
    for (const told of [signal, ended]) told.addEventListener("abort", bell.ring, { once: true });
    try {
      while (!signal.aborted) {
        // The order matters: what changes or ends from here on rings, and is seen by the next look.
        bell.arm();
        const over = ended.aborted;
        // A shared look may have begun before the end; the last one is one's own.
        const look = await (over || shared === null ? lookAt(directory, offset) : shared.tailer.look(offset));
        if (signal.aborted) return;
        if (look.bytes.length > 0) {
          yield { offset, bytes: look.bytes };
          offset += look.bytes.length;
        } else if (over || look.over) return;
        else await bell.rung();
      }
    } finally {
      for (const told of [signal, ended]) told.removeEventListener("abort", bell.ring);
      shared?.tailer.unsubscribe(bell.ring);
      if (shared !== null) this.#leave(directory, shared);
    }
  }

  #join(directory: string): Shared {
    const present = this.#tailers.get(directory);
    if (present !== undefined) {
      present.followers += 1;
      return present;
    }
    // Something must be there to be watched before the first byte is.
    fs.mkdirSync(directory, { recursive: true });
    const shared = { tailer: new Tailer(directory, this.#deps), followers: 1 };
    this.#tailers.set(directory, shared);
    return shared;
  }

  #leave(directory: string, shared: Shared): void {
    shared.followers -= 1;
    if (shared.followers > 0) return;
    this.#tailers.delete(directory);
    shared.tailer[Symbol.dispose]();
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
