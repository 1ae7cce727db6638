/** Unpacks an archive of `packBundle` into an empty directory. Rejects any other kind of entry. */
import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { Problem } from "../../kernel/index.ts";
import { artifactCorrupt } from "../failures.ts";
import { archiveMode, linkStaysInside, safeSegments } from "../paths.ts";
import { drain } from "../store/byte-source.ts";
import type { Directory } from "../store/directory.ts";
import { hasCode } from "../store/file-system.ts";

/** @throws Problem artifact_corrupt for a hostile or broken archive, or the error of `chunks` */
export async function unpack(
  chunks: AsyncIterable<Uint8Array>,
  into: Directory,
  subject: string,
): Promise<void> {
  const { readable, writable } = createTarDecoder({ strict: true });
  const failure: { source?: unknown } = {};
  const fed = ReadableStream.from(recordError(chunks, failure)).pipeTo(writable);
  fed.catch(() => undefined);
  const place = new DirectoryCache(into);
  try {
    for await (const entry of readable) await unpackEntry(entry, place, subject);
    await fed;
  } catch (error) {
    if (failure.source !== undefined) throw failure.source;
    if (error instanceof Problem || hasSystemCode(error)) throw error;
    throw artifactCorrupt(subject, `is not a valid tar (${String(error)})`, "payload");
  } finally {
    await place.close();
    await fed.catch(() => undefined);
  }
}

/** Records the error of the source, which the decoder would replace. */
async function* recordError(
  chunks: AsyncIterable<Uint8Array>,
  failure: { source?: unknown },
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    failure.source = error;
    throw error;
  }
}

/** Keeps the directory of the last entry open, because sorted entries mostly share it. */
class DirectoryCache {
  readonly #top: Directory;
  #key = "";
  #open: Directory | null = null;

  constructor(top: Directory) {
    this.#top = top;
  }

  async parentOf(segments: readonly string[]): Promise<Directory> {
    const parents = segments.slice(0, -1);
    if (parents.length === 0) return this.#top;
    const key = parents.join("/");
    if (this.#open === null || this.#key !== key) {
      await this.close();
      this.#open = await this.#top.enter(parents);
      this.#key = key;
    }
    return this.#open;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.[Symbol.asyncDispose]();
  }
}

async function unpackEntry(
  { header, body }: ParsedTarEntry,
  place: DirectoryCache,
  subject: string,
): Promise<void> {
  const refuse = (fact: string) =>
    artifactCorrupt(subject, `holds ${JSON.stringify(header.name)}, which ${fact}`, "payload");
  const type = header.type ?? "file";
  const segments = safeSegments(type === "directory" ? header.name.replace(/\/$/, "") : header.name);
  const name = segments?.at(-1);
  if (segments === null || name === undefined) throw refuse("leads out of the archive");
  try {
    const parent = await place.parentOf(segments);
    if (type === "file") return await parent.writeFile(name, archiveMode(header.mode ?? 0o644), body);
    await drain(body);
    if (type === "directory") return await parent.makeDirectory(name);
    const target = header.linkname ?? "";
    if (type !== "symlink") throw refuse(`is a ${type}`);
    if (!linkStaysInside(segments.join("/"), target)) throw refuse(`links to ${target}, out of the archive`);
    await parent.link(name, target);
  } catch (error) {
    if (hasCode(error, "EEXIST")) throw refuse("occurs twice");
    if (error instanceof Problem && error.code === "conflict")
      throw refuse("leads through a file or a symbolic link");
    throw error;
  }
}

/** True for errors of the machine, such as ENOSPC, not of the archive. */
function hasSystemCode(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
