/** Watches one followed log for all its followers: one watch, one poll and shared reads. */
import type { Clock, Logger } from "../kernel/index.ts";
import { extentOf, readInto } from "./segments.ts";
import type { WatchDirectory } from "./types.ts";

/** Small enough that a fast reader does not delay others. */
const chunkBytes = 64 * 1024;
/** Maximum number of cached reads, which bounds the memory of a followed log. Most followers are at the same offset. */
const maxSharedReads = 4;

export interface TailerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly pollMs: number;
  readonly watch: WatchDirectory;
}

export interface ReadResult {
  /** Next bytes. Empty at the current end. */
  readonly bytes: Uint8Array;
  /** True at the end of a sealed log. */
  readonly atEnd: boolean;
}

export async function readAt(directory: string, offset: number): Promise<ReadResult> {
  // Read the extent first: if it is sealed, no byte follows.
  const extent = await extentOf(directory);
  const bytes = new Uint8Array(Math.max(0, Math.min(chunkBytes, extent.size - offset)));
  const count = await readInto(directory, offset, bytes, extent);
  return { bytes: bytes.subarray(0, count), atEnd: extent.sealed && count === 0 };
}

export class Tailer implements Disposable {
  readonly #directory: string;
  readonly #reads = new Map<number, Promise<ReadResult>>();
  readonly #stopped = new AbortController();
  readonly #watch: Disposable | null;
  readonly #listeners = new Set<() => void>();

  constructor(directory: string, deps: TailerDeps) {
    this.#directory = directory;
    this.#watch = this.#startWatch(deps);
    void this.#poll(deps);
  }

  /** Calls `listener` at every possible change, until `unsubscribe`. */
  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Returns false if it was not subscribed. */
  unsubscribe(listener: () => void): boolean {
    return this.#listeners.delete(listener);
  }

  get followers(): number {
    return this.#listeners.size;
  }

  /** Wakes all followers and drops cached reads. */
  readonly notify = (): void => {
    this.#reads.clear();
    for (const listener of this.#listeners) listener();
  };

  /** Reads at an offset. Followers at one offset share the read until the log changes. */
  read(offset: number): Promise<ReadResult> {
    const shared = this.#reads.get(offset);
    if (shared !== undefined) return shared;
    const fresh = readAt(this.#directory, offset);
    this.#reads.set(offset, fresh);
    const drop = () => {
      if (this.#reads.get(offset) === fresh) this.#reads.delete(offset);
    };
    fresh.then(({ bytes }) => bytes.length === 0 && drop(), drop);
    const [oldest] = this.#reads.keys();
    if (this.#reads.size > maxSharedReads && oldest !== undefined) this.#reads.delete(oldest);
    return fresh;
  }

  [Symbol.dispose](): void {
    this.#stopped.abort();
    this.#watch?.[Symbol.dispose]();
  }

  #startWatch({ watch, log }: TailerDeps): Disposable | null {
    try {
      return watch(this.#directory, this.notify);
    } catch (error) {
      log.warn(
        { err: error, directory: this.#directory },
        "The log directory cannot be watched; followers poll.",
      );
      return null;
    }
  }

  /** Polls, because a watch may fail later or miss what another machine writes. */
  async #poll({ clock, pollMs }: TailerDeps): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await clock.sleep(pollMs, signal);
      this.notify();
    }
  }
}
