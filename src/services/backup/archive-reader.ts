/** Unpacks a backup into directories that are empty, and holds what came against what its contents say. */
import { createHash } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { errorCode, errorMessage, Problem } from "../../kernel/index.ts";
import {
  type BackupEntry,
  type BackupHeader,
  contentsName,
  headerName,
  notABackup,
  parseContents,
  parseHeader,
} from "./format.ts";

/** The absolute directory for each kind of entry. */
export interface Places {
  readonly artifacts: string;
  readonly logs: string;
  readonly mirrors: string;
  readonly tables: string;
}

export interface Unpacked {
  readonly header: BackupHeader;
  readonly entries: readonly BackupEntry[];
}

const maxNote = 1 << 29;
const place = /^(artifacts|logs|mirrors|tables)\/(.+)$/;

/** @throws Problem config_invalid for what is no whole backup, storage_failed when it cannot be written */
export async function unpack(
  bytes: AsyncIterable<Uint8Array>,
  places: Places,
  signal: AbortSignal,
): Promise<Unpacked> {
  const { readable, writable } = createTarDecoder({ strict: true });
  const fed = Readable.toWeb(Readable.from(bytes, { objectMode: false })).pipeTo(writable, { signal });
  // Its errors arrive through the reader as well.
  fed.catch(() => undefined);
  const entries: BackupEntry[] = [];
  const known = new Map<string, Promise<void>>();
  let header: BackupHeader | null = null;
  let expected: readonly BackupEntry[] | null = null;
  try {
    for await (const entry of readable) {
      const { name } = entry.header;
      if (expected !== null) throw notABackup(`after its ${contentsName} comes ${JSON.stringify(name)}`);
      if (name === headerName || name === contentsName) {
        const note = await collect(entry);
        if (name === headerName) {
          if (entries.length > 0) throw notABackup(`its ${headerName} is not the first of it`);
          header = parseHeader(note);
          entries.push(describe(name, note));
        } else expected = parseContents(note).entries;
        continue;
      }
      if (header === null) throw notABackup(`it does not begin with its ${headerName}`);
      await keep(entry, places, known, entries);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Problem) throw error;
    throw notABackup(`it cannot be read as a tar: ${errorMessage(error)}`, error);
  }
  if (header === null || expected === null) throw notABackup("it ends before its end");
  compare(expected, entries);
  return { header, entries };
}

async function keep(
  { header, body }: ParsedTarEntry,
  places: Places,
  known: Map<string, Promise<void>>,
  entries: BackupEntry[],
): Promise<void> {
  const { name } = header;
  const path = pathOf(name.replace(/\/$/, ""), places);
  if (path === null || (header.type !== "file" && header.type !== "directory"))
    throw notABackup(`it holds ${JSON.stringify(name)}, which belongs in no backup`);
  try {
    if (header.type === "directory") {
      await makeDirectory(path, known);
      return;
    }
    await makeDirectory(dirname(path), known);
    entries.push({ name, ...(await write(path, name.startsWith("logs/") ? 0o444 : 0o600, body)) });
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (errorCode(error) === "EEXIST") throw notABackup(`it holds ${JSON.stringify(name)} twice`, error);
    throw new Problem("storage_failed", `${path} cannot be written: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

/** Null for a name that leads elsewhere. */
function pathOf(name: string, places: Places): string | null {
  const [, kind, rest = ""] = place.exec(name) ?? [];
  const segments = rest.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) return null;
  if (name.includes("\0")) return null;
  switch (kind) {
    case "artifacts":
    case "logs":
    case "mirrors":
    case "tables":
      return join(places[kind], rest);
    default:
      return null;
  }
}

function makeDirectory(path: string, known: Map<string, Promise<void>>): Promise<void> {
  const before = known.get(path);
  if (before !== undefined) return before;
  const made = mkdir(path, { recursive: true, mode: 0o700 }).then(() => undefined);
  known.set(path, made);
  return made;
}

/** Durable before it counts; a name that is there already is an error. */
async function write(
  path: string,
  mode: number,
  body: ReadableStream<Uint8Array>,
): Promise<{ readonly size: number; readonly sha256: string }> {
  await using file = await open(path, "wx", mode);
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of readable(body)) {
    hash.update(chunk);
    size += chunk.length;
    await file.writeFile(chunk);
  }
  await file.sync();
  return { size, sha256: hash.digest("hex") };
}

/** Distinguishes an archive that ends early from an error of the disk. */
async function* readable(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw error instanceof Problem ? error : notABackup(`it ends too early: ${errorMessage(error)}`, error);
  }
}

async function collect({ header, body }: ParsedTarEntry): Promise<Buffer> {
  if (header.size > maxNote) throw notABackup(`its ${header.name} has ${header.size} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function describe(name: string, bytes: Uint8Array): BackupEntry {
  return { name, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function compare(expected: readonly BackupEntry[], entries: readonly BackupEntry[]): void {
  if (expected.length !== entries.length)
    throw notABackup(`${entries.length} files came of ${expected.length}`);
  for (const [index, entry] of entries.entries()) {
    const wanted = expected[index];
    if (wanted?.name !== entry.name)
      throw notABackup(
        `${JSON.stringify(entry.name)} came where ${JSON.stringify(wanted?.name)} was to come`,
      );
    if (wanted.size !== entry.size || wanted.sha256 !== entry.sha256)
      throw notABackup(`the bytes of its ${entry.name} are not those that were written`);
  }
}
