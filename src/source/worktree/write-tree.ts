/** Writes files of a directory into the mirror as one tree, with a private index. */
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { explainGit } from "../git/problem.ts";
import { quote } from "../git/url.ts";
import { ingest, writesAside } from "../mirror/ingest.ts";
import { absent, type Mirror, privatePlace, unusable, writeAside } from "../mirror/mirror.ts";
import { restoreStatCache, saveStatCache } from "./stat-cache.ts";

/** Paths are byte strings (latin1). */
export interface TreeContent {
  readonly files: ReadonlySet<string>;
  /** Commits of links by path. */
  readonly links: ReadonlyMap<string, string>;
}

export interface WrittenTree {
  readonly tree: string;
  /** Number of files and symlinks. */
  readonly fileCount: number;
}

export async function writeTree(
  deps: SourceDeps,
  mirror: Mirror,
  directory: string,
  { files, links }: TreeContent,
  signal?: AbortSignal,
): Promise<WrittenTree> {
  await using place = await privatePlace(mirror);
  const index = join(place.path, "index");
  const paths = new Set([...files, ...links.keys()]);
  const gone = await restoreStatCache(mirror, directory, paths, index);
  const objects = join(place.path, "objects");
  await mkdir(objects).catch((error: unknown) => {
    throw unusable(objects, error);
  });
  const call = {
    cwd: deps.directory,
    env: {
      GIT_DIR: mirror.path,
      GIT_WORK_TREE: directory,
      GIT_INDEX_FILE: index,
      ...writesAside(objects, mirror),
    },
    limitMs: deps.limits.localMs,
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
    return deps.git.run({ ...call, args, stdin }, signal);
  };
  let updated = await update([...files, ...(gone ?? [])]);
  if (updated.code !== 0 && gone !== null) {
    // The cached index can conflict (a directory has become a symlink), so try again without it.
    await rm(index, { force: true });
    updated = await update([...files]);
  }
  if (updated.code !== 0) throw unreadable(updated, directory);
  const { stdout } = await deps.git.expect({ ...call, args: ["write-tree"] }, quote(directory), signal);
  const tree = stdout.toString("latin1").trim();
  const entries = await countEntries(index);
  await ingest(objects, mirror);
  await rm(objects, { recursive: true, force: true });
  try {
    await writeAside(join(mirror.path, "verbatim", tree), "");
    await saveStatCache(mirror, directory, paths, place.path);
  } catch (error) {
    throw unusable(mirror.path, error);
  }
  return { tree, fileCount: entries - links.size };
}

/** Reads the number of entries, bytes 8 to 11 of a git index. */
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
  const why = open?.[2] ?? "git does not accept a file of this name or kind";
  return new Problem("source_unavailable", `${quote(`${directory}/${path}`)} cannot be read: ${why}.`, {
    remedy: "Check its permissions, or add it to .gitignore.",
    place: `${directory}/${path}`,
  });
}
