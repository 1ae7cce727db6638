/** One look-out per followed log, shared by all its followers: one watch, one sweep, and reads that they share. */
import type { Clock, Logger } from "../kernel/index.ts";
import { extentOf, readInto } from "./segments.ts";
import type { WatchDirectory } from "./types.ts";

/** Small enough that nobody waits for the turn of one who reads much. */
const chunkBytes = 64 * 1024;
/** Followers mostly stand at the same place; laggards read for themselves. Bounds the memory of a followed log. */
const sharedLooks = 4;

export interface TailerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly sweepMs: number;
  readonly watch: WatchDirectory;
}

export interface Look {
  /** The next bytes; none at the present end. */
  readonly bytes: Uint8Array;
  /** The log is sealed and this is its end. */
  readonly over: boolean;
}

export async function lookAt(directory: string, offset: number): Promise<Look> {
  // In this order: a seal seen here came after the last byte, so nothing more to read is the end.
  const extent = await extentOf(directory);
  const bytes = new Uint8Array(Math.max(0, Math.min(chunkBytes, extent.size - offset)));
  const count = await readInto(directory, offset, bytes, extent);
  return { bytes: bytes.subarray(0, count), over: extent.sealed && count === 0 };
}

export class Tailer implements Disposable {
  readonly #directory: string;
  readonly #looks = new Map<number, Promise<Look>>();
  readonly #stopped = new AbortController();
  readonly #watch: Disposable | null;
  readonly #bells = new Set<() => void>();

  constructor(directory: string, deps: TailerDeps) {
    this.#directory = directory;
    this.#watch = this.#startWatch(deps);
    void this.#sweep(deps);
  }

  /** Rings at every sign of a change, until `unsubscribe`. */
  subscribe(ring: () => void): void {
    this.#bells.add(ring);
  }

  /** False when it was not subscribed any more. */
  unsubscribe(ring: () => void): boolean {
    return this.#bells.delete(ring);
  }

  get followers(): number {
    return this.#bells.size;
  }

  /** Wakes all followers. What was read before may be old now. */
  readonly notify = (): void => {
    this.#looks.clear();
    for (const ring of this.#bells) ring();
  };

  /** What is at an offset. Followers at one place share one look and its bytes, as long as nothing has changed. */
  look(offset: number): Promise<Look> {
    const shared = this.#looks.get(offset);
    if (shared !== undefined) return shared;
    const fresh = lookAt(this.#directory, offset);
    this.#looks.set(offset, fresh);
    const forget = () => {
      if (this.#looks.get(offset) === fresh) this.#looks.delete(offset);
    };
    fresh.then(({ bytes }) => bytes.length === 0 && forget(), forget);
    const [oldest] = this.#looks.keys();
    if (this.#looks.size > sharedLooks && oldest !== undefined) this.#looks.delete(oldest);
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
        "no notifications here: followers look now and then",
      );
      return null;
    }
  }

  /** A watch may fail later, or say nothing of what another machine writes: the sweep is the guarantee. */
  async #sweep({ clock, sweepMs }: TailerDeps): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await clock.sleep(sweepMs, signal);
      this.notify();
    }
  }
}
