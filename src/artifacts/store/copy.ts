/** Copies a source into a file and digests it on the way, reading, digesting and writing at the same time. */
import { createHash } from "node:crypto";
import type { ByteSource } from "./byte-source.ts";
import type { StoredFile } from "./file-system.ts";

/** One call of the hash per this many bytes: large enough that calls and thread-pool turns do not count. */
const chunkBytes = 1 << 20;
const smallestChunk = 4096;
/**
 * So often the storage is told to begin: it then works while later bytes are digested, and the last sync is short. The
 * next flush waits for the one before, so that no more than this is ever due; a store that takes 5 ms for each still
 * takes 400 MiB a second.
 */
const flushBytes = 2 << 20;

export interface Digest {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. */
  finish(): string;
}

export function sha256(): Digest {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest("hex") };
}

export interface Copied {
  readonly sha256: string;
  readonly size: number;
}

/**
 * Three buffers take turns: while the hash works on one on this thread, the thread pool fills the next and writes the
 * one before. The next write waits for the last, so at most one read and one write are on their way.
 */
export async function copyDigested(
  source: ByteSource,
  target: StoredFile,
  digest: Digest,
  signal?: AbortSignal,
): Promise<Copied> {
  // One byte more than expected, so that the end of a small file shows in the first turn.
  const length = Math.min(chunkBytes, Math.max(smallestChunk, (source.sizeHint ?? chunkBytes) + 1));
  const buffers: Uint8Array[] = [];
  const fill = (turn: number): Promise<number> => {
    buffers[turn % 3] ??= new Uint8Array(length);
    return handled(source.fill(buffers[turn % 3] ?? new Uint8Array(length)));
  };
  let size = 0;
  let writing: Promise<void> = Promise.resolve();
  let flush: { readonly done: Promise<void>; readonly from: number } = { done: writing, from: 0 };
  try {
    signal?.throwIfAborted();
    let reading = fill(0);
    for (let turn = 0; ; turn += 1) {
      const filled = await orAborted(reading, signal);
      const bytes = buffers[turn % 3]?.subarray(0, filled);
      if (filled === 0 || bytes === undefined) break;
      reading = fill(turn + 1);
      await writing;
      if (size - flush.from >= flushBytes) {
        await flush.done;
        flush = { done: handled(target.sync()), from: size };
      }
      writing = handled(target.write(bytes, size));
      digest.update(bytes);
      size += filled;
    }
  } finally {
    // The buffers are ours until the write is done, whatever else went wrong.
    await writing;
    await flush.done;
  }
  return { sha256: digest.finish(), size };
}

/** A promise whose rejection is taken where it is awaited, which may be a turn later. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** The promise, or the signal's reason as soon as it aborts: a source that hangs must not hang the put. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
