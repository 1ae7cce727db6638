/** Reads and verifies a payload. The last chunk waits until digest and size have matched, so wrong bytes never complete. */
import { createHash } from "node:crypto";
import path from "node:path";
import { Problem } from "../../kernel/index.ts";
import { artifactCorrupt, artifactMissing, callArtifact, storageFailure } from "../failures.ts";
import type { ArtifactReference, ByteRange } from "../types.ts";
import { type FileSystem, hasCode, type StoredFile } from "./file-system.ts";

const chunkBytes = 256 * 1024;

interface StoreFiles {
  readonly files: FileSystem;
  readonly base: string;
}

export async function* readVerified(
  shelf: StoreFiles,
  reference: ArtifactReference,
  range: ByteRange = { start: 0, end: reference.size },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const subject = callArtifact(reference);
  const file = path.join(shelf.base, reference.id, "payload");
  if (!(range.start >= 0 && range.start <= range.end && range.end <= reference.size))
    throw new Problem(
      "usage",
      `${subject} has no bytes ${range.start} to ${range.end}: it has ${reference.size}.`,
    );
  const hash = createHash("sha256");
  const payload = new Payload(shelf, file, subject);
  let position = 0;
  let held: Uint8Array | null = null;
  // The disk reads the next chunk while this one is hashed and sent.
  let ahead = readAhead(payload, position, reference.size);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const bytes = await ahead;
      if (bytes.length === 0) break;
      if (position + bytes.length > reference.size)
        throw artifactCorrupt(subject, `has more than the ${reference.size} bytes it was stored with`, file);
      ahead = readAhead(payload, position + bytes.length, reference.size);
      hash.update(bytes);
      const from = Math.max(range.start - position, 0);
      const part = bytes.subarray(from, Math.max(range.end - position, from));
      position += bytes.length;
      if (part.length === 0) continue;
      if (held !== null) yield held;
      held = part;
    }
  } finally {
    await ahead.catch(() => undefined);
    await payload.close();
  }
  if (position !== reference.size)
    throw artifactCorrupt(
      subject,
      `has ${position} bytes instead of the ${reference.size} it was stored with`,
      file,
    );
  const found = hash.digest("hex");
  if (found !== reference.sha256)
    throw artifactCorrupt(subject, `has SHA-256 ${found}, not ${reference.sha256} as stored`, file);
  if (held !== null) yield held;
}

/** Starts a read whose error is handled when it is awaited. */
function readAhead(payload: Payload, position: number, size: number): Promise<Uint8Array> {
  const read = payload.read(position, size);
  read.catch(() => undefined);
  return read;
}

/**
 * Open payload. It refreshes the file server's cache once if the cache may be stale: ESTALE, a missing name, or an early
 * end. This is safe, because a payload never changes and the digest covers bytes from before and after.
 */
class Payload {
  readonly #shelf: StoreFiles;
  readonly #file: string;
  readonly #subject: string;
  #handle: StoredFile | null = null;
  #refreshed = false;

  constructor(shelf: StoreFiles, file: string, subject: string) {
    this.#shelf = shelf;
    this.#file = file;
    this.#subject = subject;
  }

  async read(position: number, size: number): Promise<Uint8Array> {
    const target = new Uint8Array(Math.min(chunkBytes, Math.max(1, size - position)));
    for (;;) {
      try {
        this.#handle ??= await this.#shelf.files.openForRead(this.#file);
        const count = await this.#handle.read(target, position);
        if (count > 0 || position >= size || this.#refreshed) return target.subarray(0, count);
      } catch (error) {
        if (!hasCode(error, "ESTALE", "ENOENT", "ENOTDIR") || this.#refreshed) throw this.#named(error);
      }
      await this.#refresh();
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async #refresh(): Promise<void> {
    this.#refreshed = true;
    // A stale handle may fail to close. Nothing was written through it.
    await this.close().catch(() => undefined);
    try {
      await this.#shelf.files.syncDirectory(this.#shelf.base);
    } catch (error) {
      throw this.#named(error);
    }
  }

  #named(error: unknown): Problem {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return artifactMissing(this.#subject, this.#file);
    return storageFailure(this.#subject, "reading it", error);
  }
}
