/** Packs files into a reproducible tar: sorted names, no owner, no times, two modes. Equal trees give equal bytes. */

import fs from "node:fs/promises";
import path from "node:path";
import type { TarHeader } from "modern-tar";
import { outputRefused } from "../failures.ts";
import { archiveMode, linkStaysInside, safeSegments } from "../paths.ts";
import {
  type ContainedFile,
  type Container,
  openContained,
  readContainedLink,
} from "../store/contained-file.ts";
import { type TarWriter, tarStream } from "./tar-stream.ts";

const chunkBytes = 1 << 20;

interface Bundle extends Container {
  readonly files: readonly string[];
  /** See `bundlePrefix`. */
  readonly prefix: string;
}

/** Streams the archive. Opens one file at a time and closes it when the iteration ends. */
export async function* packBundle(
  bundle: Bundle,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* tarStream(async (archive) => {
    for (const file of sorted(bundle.files)) {
      signal?.throwIfAborted();
      await packOne(archive, bundle, file);
    }
  });
}

/** Sorts by code unit, which does not depend on the locale, and drops duplicates. */
function sorted(files: readonly string[]): readonly string[] {
  return [...new Set(files)].sort((a, b) => (a < b ? -1 : 1));
}

async function packOne(archive: TarWriter, bundle: Bundle, file: string): Promise<void> {
  const { root, prefix } = bundle;
  const name = prefix === "" ? file : file.slice(prefix.length + 1);
  if (safeSegments(name) === null) throw outputRefused(file, "its name leads out of the workspace");
  const target = await readContainedLink(root, file);
  // A link inside the bundle stays valid anywhere. Any other is replaced by its target's content.
  if (target !== null && linkStaysInside(name, target))
    return add(archive, { name, size: 0, type: "symlink", linkname: target, mode: 0o777 });
  if (target === null && (await isDirectory(path.join(root, file))))
    return add(archive, { name: `${name}/`, size: 0, type: "directory", mode: 0o755 });
  const content = await openContained(bundle, file);
  try {
    await add(archive, { name, size: content.size, type: "file", mode: archiveMode(content.mode) }, content);
  } finally {
    await content.close();
  }
}

async function isDirectory(file: string): Promise<boolean> {
  const stat = await fs.lstat(file).catch(() => null);
  return stat?.isDirectory() ?? false;
}

async function add(
  archive: TarWriter,
  header: TarHeader & { readonly mode: number },
  content?: ContainedFile,
): Promise<void> {
  const body = archive.add({ ...header, uid: 0, gid: 0, mtime: new Date(0) }).getWriter();
  try {
    for (;;) {
      // Use a new buffer each time: the archive's reader may still use the last one.
      const buffer = new Uint8Array(Math.min(chunkBytes, (content?.size ?? 0) + 1));
      const filled = (await content?.fill(buffer)) ?? 0;
      if (filled === 0) break;
      await body.write(buffer.subarray(0, filled));
    }
    await body.close();
  } catch (error) {
    await body.abort(error).catch(() => undefined);
    throw error;
  }
}
