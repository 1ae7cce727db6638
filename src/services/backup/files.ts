/** The files that a backup takes along beside the tables. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../kernel/index.ts";

const chunkBytes = 1 << 20;

export interface OpenedFile extends AsyncDisposable {
  /** The size in bytes when the file was opened. */
  readonly size: number;
  /** Exactly `size` bytes; later additions belong to a later moment. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Null: it is not there, or is no regular file. */
export async function openFile(path: string): Promise<OpenedFile | null> {
  const handle = await open(path, "r").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "EISDIR") return null;
    throw error;
  });
  if (handle === null) return null;
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    return null;
  }
  const { size } = stat;
  return {
    size,
    bytes: slices(size, async (offset, target) => {
      const { bytesRead } = await handle.read(target, 0, target.length, offset);
      return target.subarray(0, bytesRead);
    }),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** From 0 up to `size`, or to where nothing more comes. A fresh buffer each time: the reader may keep it. */
export async function* slices(
  size: number,
  read: (offset: number, target: Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = 0; offset < size; ) {
    const part = await read(offset, new Uint8Array(Math.min(chunkBytes, size - offset)));
    if (part.length === 0) return;
    offset += part.length;
    yield part;
  }
}

export interface MirrorEntry {
  /** Relative to the mirrors' directory. */
  readonly name: string;
  readonly kind: "file" | "directory";
}

/** Work in progress, and what is known of working directories of this machine. */
const notOfAMirror: ReadonlySet<string> = new Set(["tmp", "worktrees"]);

/**
 * Mirrors, each with its objects last: what names an object is written after it, so all that is named by what was read
 * before is there.
 */
export async function* mirrorEntries(base: string): AsyncGenerator<MirrorEntry, void, undefined> {
  for (const mirror of await namesIn(base)) {
    if (!mirror.isDirectory()) continue;
    yield { name: mirror.name, kind: "directory" };
    const parts = (await namesIn(join(base, mirror.name))).filter(({ name }) => !notOfAMirror.has(name));
    const last = parts.filter(({ name }) => name === "objects");
    for (const part of [...parts.filter((one) => !last.includes(one)), ...last])
      yield* walk(base, `${mirror.name}/${part.name}`, part.isDirectory());
  }
}

async function* walk(
  base: string,
  name: string,
  isDirectory: boolean,
): AsyncGenerator<MirrorEntry, void, undefined> {
  yield { name, kind: isDirectory ? "directory" : "file" };
  if (!isDirectory) return;
  for (const entry of await namesIn(join(base, name)))
    if (entry.isFile() || entry.isDirectory())
      yield* walk(base, `${name}/${entry.name}`, entry.isDirectory());
}

async function namesIn(directory: string) {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
