/**
 * Cache for the next snapshot of the same directory: the git index (size, times, inode and blob of every file) and its
 * list of paths. Both are in one immutable folder. A small file names the newest folder, so that concurrent snapshots do
 * not mix theirs. Losing the cache costs only time.
 */
import { createHash, randomBytes } from "node:crypto";
import { link, lstat, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../kernel/index.ts";
import { absent, type Mirror, writeAside } from "../mirror/mirror.ts";

/**
 * Hard-links the last index to `index`. A link keeps the index's time, by which git detects recently changed files.
 * Returns the paths that were removed since. Null if there is no usable index: git would keep a path that still exists but
 * is ignored now.
 */
export async function restoreStatCache(
  mirror: Mirror,
  directory: string,
  paths: ReadonlySet<string>,
  index: string,
): Promise<readonly string[] | null> {
  const folder = await newest(mirror, directory);
  if (folder === null) return null;
  const before = await readFile(join(folder, "paths"), "latin1").catch(absent);
  if (before === null) return null;
  const gone = before.split("\0").filter((path) => path !== "" && !paths.has(path));
  for (const path of gone) {
    const file = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, "latin1")]);
    const found = await lstat(file).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return null;
      throw error;
    });
    if (found !== null) return null;
  }
  const linked = await link(join(folder, "index"), index).then(() => true, absent);
  return linked === null ? null : gone;
}

/** Makes the private directory the newest folder and removes the one before. */
export async function saveStatCache(
  mirror: Mirror,
  directory: string,
  paths: ReadonlySet<string>,
  place: string,
): Promise<void> {
  const previous = await newest(mirror, directory);
  await writeFile(join(place, "paths"), [...paths].map((path) => `${path}\0`).join(""), "latin1");
  const pointer = pointerOf(mirror, directory);
  const folder = `${pointer}-${randomBytes(6).toString("hex")}`;
  await rename(place, folder);
  await writeAside(pointer, folder.slice(pointer.length + 1));
  if (previous !== null) await rm(previous, { recursive: true, force: true });
}

async function newest(mirror: Mirror, directory: string): Promise<string | null> {
  const pointer = pointerOf(mirror, directory);
  const suffix = await readFile(pointer, "utf8").catch(absent);
  return suffix !== null && /^[0-9a-f]{12}$/.test(suffix) ? `${pointer}-${suffix}` : null;
}

function pointerOf(mirror: Mirror, directory: string): string {
  return join(mirror.path, "worktrees", createHash("sha256").update(directory).digest("hex").slice(0, 32));
}
