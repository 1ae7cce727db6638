/**
 * What a snapshot leaves for the next one of the same directory: its git index (size, times and inode of every file
 * beside its blob) and the list of paths in it. Both lie in one folder that is never changed; a small file names the
 * newest, so that two snapshots at once cannot mix theirs. Losing it costs time only.
 */
import { createHash, randomBytes } from "node:crypto";
import { link, lstat, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../kernel/index.ts";
import { absent, type Mirror, writeAside } from "../mirror/mirror.ts";

/**
 * Puts the last index at `index` as a second name of the same file: its time stamp, by which git tells a racily
 * changed file, stays. Answers the paths that have left since, or null where there is no index to use: one of them
 * still exists (it is ignored now), and git would keep it.
 */
export async function takeStatCache(
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

/** Turns the private place into the newest folder; the one before it goes. */
export async function keepStatCache(
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
