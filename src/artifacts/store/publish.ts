/** Makes an artifact visible atomically: temporary directory, fsync, rename, fsync of the parent. */
import path from "node:path";
import type { ArtifactMetadata, ArtifactType } from "../../domain/index.ts";
import { type ArtifactId, type Clock, type Logger, Problem } from "../../kernel/index.ts";
import { artifactCorrupt, callArtifact, storageFailure } from "../failures.ts";
import type { StoredArtifact } from "../types.ts";
import type { ByteSource } from "./byte-source.ts";
import { type Copied, copyDigested, type Digest } from "./copy.ts";
import type { FileSystem, StoredFile } from "./file-system.ts";
import { moveIntoPlace, noteBytes } from "./placement.ts";
import { temporaryPath, type Writer } from "./temporary.ts";

export interface Publisher {
  readonly base: string;
  readonly writer: Writer;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly log: Logger;
  readonly minFreeBytes: number;
  readonly newDigest: () => Digest;
}

export interface Publication {
  readonly id: ArtifactId;
  readonly name: string;
  readonly type: ArtifactType;
  readonly source: ByteSource;
  readonly expected?: Copied | undefined;
  /** Returns the metadata, once the bytes are at `payload`. An error fails the put. */
  describe(payload: string): Promise<ArtifactMetadata>;
}

/** Stores an artifact and always closes the source. @throws as ArtifactStore.put */
export async function publish(
  publisher: Publisher,
  publication: Publication,
  signal?: AbortSignal,
): Promise<StoredArtifact> {
  const { base, files, log } = publisher;
  const subject = callArtifact(publication);
  const storing = <T>(work: Promise<T>) => failing(subject, work);
  const temporary = temporaryPath(base, publisher.writer);
  const payload = path.join(temporary, "payload");
  const target = path.join(base, publication.id);
  try {
    await storing(files.makeDirectory(temporary));
    await refuseWhenFull(publisher, publication, subject);
    const copied = await inFile(files, payload, subject, (file) =>
      copyDigested(publication.source, file, publisher.newDigest(), signal),
    );
    refuseUnexpected(subject, publication.expected, copied);
    const metadata = await publication.describe(payload);
    const note = noteBytes({ publication, copied, metadata, createdAt: publisher.clock.now() });
    await inFile(files, path.join(temporary, "metadata.json"), subject, (file) => file.write(note, 0));
    signal?.throwIfAborted();
    await storing(files.syncDirectory(temporary));
    await moveIntoPlace({ files, base, log, subject, temporary, target, id: publication.id, copied });
    return { ...copied, storagePath: path.join(target, "payload"), metadata };
  } catch (error) {
    await files
      .remove(temporary)
      .catch((left: unknown) => log.warn({ err: left, temporary }, "A temporary directory was not removed."));
    throw error;
  } finally {
    await publication.source.close();
  }
}

/** Writes a new file durably. Errors at fsync and close count: NFS reports a full disk or quota only there. */
async function inFile<T>(
  files: FileSystem,
  file: string,
  subject: string,
  work: (file: StoredFile) => Promise<T>,
): Promise<T> {
  const raw = await failing(subject, files.create(file));
  let open = true;
  try {
    const result = await work({
      read: (target, position) => raw.read(target, position),
      write: (bytes, position) => failing(subject, raw.write(bytes, position)),
      sync: () => failing(subject, raw.sync()),
      close: () => raw.close(),
    });
    await failing(subject, raw.sync());
    open = false;
    await failing(subject, raw.close());
    return result;
  } finally {
    // Report the first error only.
    if (open) await raw.close().catch(() => undefined);
  }
}

async function refuseWhenFull(
  publisher: Publisher,
  publication: Publication,
  subject: string,
): Promise<void> {
  const free = await failing(subject, publisher.files.freeBytes(publisher.base));
  const coming = publication.expected?.size ?? publication.source.sizeHint ?? 0;
  if (free - coming >= publisher.minFreeBytes) return;
  throw new Problem(
    "storage_failed",
    `${subject} is not stored: ${free} bytes are free in the artifact store, ${coming} are to come, ` +
      `and ${publisher.minFreeBytes} must stay free.`,
    { place: publisher.base, remedy: "Free space in the artifact store, or lower min_free_bytes." },
  );
}

function refuseUnexpected(subject: string, expected: Copied | undefined, copied: Copied): void {
  if (expected === undefined) return;
  if (expected.sha256 === copied.sha256 && expected.size === copied.size) return;
  const fact = `arrived as ${copied.size} bytes with SHA-256 ${copied.sha256}, not ${expected.size} with ${expected.sha256}`;
  throw artifactCorrupt(subject, fact, "payload");
}

async function failing<T>(subject: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw storageFailure(subject, "storing it, so it is not visible", error);
  }
}
