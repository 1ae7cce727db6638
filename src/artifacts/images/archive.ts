/** Inspects an image archive: an OCI layout (`index.json`) or the output of `docker save` (`manifest.json`), also gzipped. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import fs from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { createTarDecoder } from "modern-tar";
import { errorMessage, Problem } from "../../kernel/index.ts";
import { drain } from "../store/byte-source.ts";
import { type ArchiveParts, digestInName, type ImageArchive, type Refuse, readImage } from "./parts.ts";

/** Maximum size of an index, manifest or configuration. Most have a few KiB. */
const maxNoteBytes = 4 * 1024 * 1024;
/** Maximum size of all notes that are kept while an archive is read. */
const maxNotesBytes = 64 * 1024 * 1024;
/** Maximum length of a path on Linux. All names of an archive are kept while it is read. */
const maxNameLength = 4096;
/** Maximum size of PAX headers and GNU long names, in total and for each entry. At least twice the read-ahead. */
const extraHeaders = { all: 8 * 1024 * 1024, each: 4096 };

export interface ArchiveLimits {
  /** Maximum number of entries. An image has about ten, one of many platforms about a hundred. */
  readonly entries: number;
  /** Maximum size of the uncompressed tar: a gzip of a megabyte can contain a gigabyte. */
  readonly bytes: number;
}
const defaultLimits: ArchiveLimits = { entries: 10_000, bytes: 64 * 1024 ** 3 };

/**
 * Reads the whole archive once. Parts that are named by a digest must match it, and the image must be complete.
 * @param called name of the file in errors
 * @throws Problem artifact_corrupt if the file is not an archive of exactly one complete image
 */
export async function inspectImageArchive(
  file: string,
  called = file,
  signal?: AbortSignal,
  limits = defaultLimits,
): Promise<ImageArchive> {
  const refuse = (fact: string, cause?: unknown) => notAnImage(called, fact, cause);
  return readImage(await listParts(file, { refuse, signal, limits }), refuse);
}

interface Listing {
  readonly refuse: Refuse;
  readonly signal: AbortSignal | undefined;
  readonly limits: ArchiveLimits;
}

async function listParts(file: string, { refuse, signal, limits }: Listing): Promise<ArchiveParts> {
  const names = new Set<string>();
  const notes = new Map<string, Buffer>();
  let kept = 0;
  let entries = 0;
  let explained = extraHeaders.all;
  const { readable, writable } = createTarDecoder({ strict: true });
  const fed = Readable.toWeb(await openArchive(file))
    .pipeThrough(limited(limits.bytes, () => explained, refuse))
    .pipeTo(writable, signal === undefined ? {} : { signal });
  // The reader reports its errors, too.
  fed.catch(() => undefined);
  try {
    for await (const { header, body } of readable) {
      const name = header.name.replace(/^\.\//, "");
      if (++entries > limits.entries) throw refuse(`it has more than ${limits.entries} entries`);
      explained += 512 + Math.ceil(header.size / 512) * 512 + extraHeaders.each;
      if (name.length > maxNameLength) throw refuse(`it has a name of ${name.length} characters`);
      names.add(name);
      const isNote = name === "index.json" || name === "manifest.json";
      const hex = isNote || header.type !== "file" ? null : digestInName(name);
      if (!isNote && hex === null) {
        await drain(body);
        continue;
      }
      if (isNote && header.size > maxNoteBytes) throw refuse(`its ${name} has ${header.size} bytes`);
      const keeps = header.size <= maxNoteBytes && kept + header.size <= maxNotesBytes;
      const read = await readPart(body, keeps ? "keep" : "hash");
      if (hex !== null && read.hex !== hex)
        throw refuse(`the bytes of its ${name} have the digest sha256:${read.hex}`);
      // A part that begins like JSON may be a note. Layers do not.
      if (read.bytes === null || (!isNote && read.bytes[0] !== 0x7b)) continue;
      notes.set(name, read.bytes);
      kept += header.size;
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof Problem) throw error;
    throw refuse(`it cannot be read as a tar: ${errorMessage(error)}`, error);
  }
  return { names, notes };
}

/** Passes bytes until there are too many, in total or compared with the entries so far. */
function limited(
  limit: number,
  explained: () => number,
  refuse: Refuse,
): TransformStream<Uint8Array, Uint8Array> {
  let size = 0;
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.length;
      if (size > limit) throw refuse(`it unpacks to more than ${limit} bytes`);
      if (size > explained()) throw refuse("its headers are larger than those of an image");
      controller.enqueue(chunk);
    },
  });
}

async function readPart(
  body: ReadableStream<Uint8Array>,
  how: "keep" | "hash",
): Promise<{ readonly hex: string; readonly bytes: Buffer | null }> {
  const hash = createHash("sha256");
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    hash.update(chunk);
    if (how === "keep") chunks.push(chunk);
  }
  return { hex: hash.digest("hex"), bytes: how === "keep" ? Buffer.concat(chunks) : null };
}

async function openArchive(file: string): Promise<Readable> {
  const handle = await fs.open(file, "r");
  const magic = new Uint8Array(2);
  try {
    await handle.read(magic, 0, 2, 0);
  } finally {
    await handle.close();
  }
  const bytes = createReadStream(file, { highWaterMark: 1 << 20 });
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) return bytes;
  const plain = createGunzip();
  bytes.on("error", (error) => plain.destroy(error));
  return bytes.pipe(plain);
}

function notAnImage(called: string, fact: string, cause?: unknown): Problem {
  return new Problem(
    "artifact_corrupt",
    `${JSON.stringify(called)} is not an archive of an image: ${fact}.`,
    {
      place: called,
      remedy: "Write it with `docker save`, `skopeo copy … oci-archive:` or `buildctl --output type=oci`.",
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
