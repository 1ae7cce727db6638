/** Copies a source into a file and computes its digest. Reads, hashes and writes at the same time. */
import { createHash } from "node:crypto";
import type { ByteSource } from "./byte-source.ts";
import type { StoredFile } from "./file-system.ts";

/** Large enough that the cost per call does not matter. */
const chunkBytes = 1 << 20;
const minChunkBytes = 4096;
/**
 * Number of bytes after which the file is synced, so that the storage works while later bytes are hashed and the last
 * sync is short. Each flush waits for the one before. A store that takes 5 ms for a flush still takes 400 MiB a second.
 */
const flushBytes = 2 << 20;

export interface Digest {
  update(bytes: Uint8Array): void;
  /** Returns the digest in lower-case hex. */
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
 * Uses three buffers in turn: this thread hashes one while the thread pool fills the next and writes the previous one. A
 * write waits for the one before, so at most one read and one write are in flight.
 */
export async function copyDigested(
  source: ByteSource,
  target: StoredFile,
  digest: Digest,
  signal?: AbortSignal,
): Promise<Copied> {
  // One byte more than expected, so that the first read finds the end of a small file.
  const length = Math.min(chunkBytes, Math.max(minChunkBytes, (source.sizeHint ?? chunkBytes) + 1));
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
    // Wait even after an error: the write still uses the buffers.
    await writing;
    await flush.done;
  }
  return { sha256: digest.finish(), size };
}

/** Marks a promise as handled, because it is awaited later. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Rejects with the signal's reason as soon as it aborts, so that a hanging source does not hang the put. */
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
