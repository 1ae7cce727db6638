/** Writes the listed files of a directory into the mirror as one tree, by a private index. */
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
import { explainGit } from "../git/problem.ts";
import { quote } from "../git/url.ts";
import { absent, type Mirror, privatePlace, unusable, writeAside } from "../mirror/mirror.ts";
import { takeOver, writesAside } from "../mirror/take-over.ts";
import { keepStatCache, takeStatCache } from "./stat-cache.ts";

/** Paths are byte strings (latin1). */
export interface TreeContent {
  readonly files: ReadonlySet<string>;
  /** Path → the commit that stands there in the tree. */
  readonly links: ReadonlyMap<string, string>;
}

export interface WrittenTree {
  readonly tree: string;
  /** Files and symlinks. */
  readonly fileCount: number;
}

export async function writeTree(
  room: Room,
  mirror: Mirror,
  directory: string,
  { files, links }: TreeContent,
  signal?: AbortSignal,
): Promise<WrittenTree> {
  await using place = await privatePlace(mirror);
  const index = join(place.path, "index");
  const paths = new Set([...files, ...links.keys()]);
  const gone = await takeStatCache(mirror, directory, paths, index);
  const objects = join(place.path, "objects");
  await mkdir(objects).catch((error: unknown) => {
    throw unusable(objects, error);
  });
  const call = {
    cwd: room.directory,
    env: {
      GIT_DIR: mirror.path,
      GIT_WORK_TREE: directory,
      GIT_INDEX_FILE: index,
      ...writesAside(objects, mirror),
    },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  const linked = [...links].flatMap(([path, commit]) => [
    "--cacheinfo",
    `160000,${commit},${Buffer.from(path, "latin1").toString()}`,
  ]);
  const args = [
    "-C",
    directory,
    "update-index",
    "--add",
    "--remove",
    "--replace",
    ...linked,
    "-z",
    "--stdin",
  ];
  const stdin = join(place.path, "paths");
  const update = async (listed: readonly string[]) => {
    await writeFile(stdin, Buffer.from(listed.map((path) => `${path}\0`).join(""), "latin1"));
    return room.git.run({ ...call, args, stdin }, signal);
  };
  let updated = await update([...files, ...(gone ?? [])]);
  if (updated.code !== 0 && gone !== null) {
    // An earlier state can be in the way (what was a directory is a symlink now): then without it.
    await rm(index, { force: true });
    updated = await update([...files]);
  }
  if (updated.code !== 0) throw unreadable(updated, directory);
  const { stdout } = await room.git.expect({ ...call, args: ["write-tree"] }, quote(directory), signal);
  const tree = stdout.toString("latin1").trim();
  const entries = await countEntries(index);
  await takeOver(objects, mirror);
  await rm(objects, { recursive: true, force: true });
  try {
    await writeAside(join(mirror.path, "verbatim", tree), "");
    await keepStatCache(mirror, directory, paths, place.path);
  } catch (error) {
    throw unusable(mirror.path, error);
  }
  return { tree, fileCount: entries - links.size };
}

/** The number of entries stands in bytes 8 to 11 of a git index. */
async function countEntries(index: string): Promise<number> {
  await using file = (await open(index, "r").catch(absent)) ?? undefined;
  if (file === undefined) return 0;
  const { buffer } = await file.read(Buffer.alloc(12), 0, 12, 0);
  return buffer.readUInt32BE(8);
}

function unreadable(failed: { stderr: string; code: number }, directory: string): Problem {
  const open = /error: (?:open|readlink|unable to stat|lstat)\("?([^\n]*?)"?\): ([^\n]*)/.exec(failed.stderr);
  const refused =
    /(?:Invalid path|unsupported file type|unable to index file|Unable to process path|unable to stat) '?([^'\n]*)'?/i;
  const path = open?.[1] ?? refused.exec(failed.stderr)?.[1];
  if (path === undefined || /No space left|quota exceeded/i.test(failed.stderr))
    return explainGit(failed, quote(directory));
  const why = open?.[2] ?? "git does not take a file of this name or kind";
  return new Problem("source_unavailable", `${quote(`${directory}/${path}`)} cannot be read: ${why}`, {
    remedy: "Check its rights, or let .gitignore name it.",
    place: `${directory}/${path}`,
  });
}
