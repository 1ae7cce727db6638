/**
 * A working directory as a tree in the mirror. The person's git says which paths travel; a private index and the
 * mirror's own object store take their bytes, with every conversion switched off by the mirror's info/attributes. The
 * private index stays for the next snapshot as its stat cache; HEAD's objects are imported first, so that an
 * unchanged file costs one hash and no write even the first time.
 */
import { mkdir, open, realpath, rm, writeFile } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { Problem } from "../kernel/index.ts";
import { explainGit } from "./git-problem.ts";
import { importCommit } from "./import-commit.ts";
import {
  absent,
  formatOf,
  type Mirror,
  mirrorAt,
  openMirror,
  privatePlace,
  unusable,
  writeAside,
} from "./mirror.ts";
import {
  checkDirectory,
  type Head,
  isIgnored,
  type Listing,
  type Location,
  listEverything,
  listFiles,
  locate,
  nestedCommit,
  readHead,
  tagAt,
  treeAt,
} from "./person-repository.ts";
import { refParts } from "./ref.ts";
import type { Room } from "./room.ts";
import { isSameCheckout } from "./same-checkout.ts";
import { keepStatCache, takeStatCache } from "./stat-cache.ts";
import { takeOver, writesAside } from "./take-over.ts";
import type { WorkingTree, WorkingTreeRequest } from "./types.ts";
import { quote } from "./url.ts";

interface Sight {
  readonly location: Location | null;
  readonly head: Head;
  readonly listing: Listing;
}

const noHead: Head = { commit: null, branch: null, trackedChanges: false, deleted: new Set() };

export async function snapshotWorkingTree(
  room: Room,
  request: WorkingTreeRequest,
  signal?: AbortSignal,
): Promise<WorkingTree> {
  await checkDirectory(request.directory);
  const directory = await realpath(request.directory);
  const sight = await look(room, request.repositoryId, directory, signal);
  const { location, head } = sight;
  const mirror = mirrorAt(room.directory, request.repositoryId, location?.format ?? "sha1");
  await openMirror(mirror, room.clock);
  const committed =
    location === null || head.commit === null
      ? null
      : await importTree(room, mirror, directory, location, head.commit, signal);

  const places = [room.directory, ...(request.exclude ?? [])];
  const listing = withoutDeleted(
    withoutPlaces(sight.listing, directory, places),
    head,
    location?.prefix ?? "",
  );
  const { tree: taken, entries, links } = await write(room, mirror, directory, listing, signal);
  const isCommitted =
    committed !== null &&
    !head.trackedChanges &&
    taken !== committed &&
    (await isSameCheckout(room, mirror, { committed, taken }, signal));
  const tree = isCommitted ? committed : taken;
  const nested = [...listing.gitlinks].filter((path) => listing.untracked.has(path));
  const detached = head.commit !== null && head.branch === null;
  const tag = detached && head.commit !== null ? await tagAt(room, directory, head.commit, signal) : null;
  return {
    commit: head.commit,
    tree,
    ...refParts(head.branch === null ? tag : `refs/heads/${head.branch}`),
    // Not what `git status` says: index flags, sparse checkouts and conversions hide differences from it.
    dirty: head.commit !== null && (committed === null ? entries > 0 : tree !== committed),
    subpath: location?.prefix || null,
    fileCount: entries - links,
    submodules: listing.gitlinks.size > nested.length,
    nested: nested.map((path) => Buffer.from(path, "latin1").toString()),
  };
}

/** The commit's tree of this directory, or null where the commit does not have the directory. */
async function importTree(
  room: Room,
  mirror: Mirror,
  directory: string,
  location: Location,
  commit: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const whole = await importCommit(room, mirror, location, commit, signal);
  if (whole !== null && location.prefix === "") return whole;
  return treeAt(room, directory, commit, signal);
}

/** Three questions at once; a directory that is not in a repository answers the second and third with an error. */
async function look(
  room: Room,
  repositoryId: string,
  directory: string,
  signal?: AbortSignal,
): Promise<Sight> {
  const [location, head, listing] = await Promise.allSettled([
    locate(room, directory, signal),
    readHead(room, directory, signal),
    listFiles(room, directory, signal),
  ]);
  if (location.status === "rejected") throw location.reason;
  if (location.value === null) return plain(room, repositoryId, directory, signal);
  if (head.status === "rejected") throw head.reason;
  if (listing.status === "rejected") throw listing.reason;
  const nothing = listing.value.files.size === 0 && listing.value.gitlinks.size === 0;
  // An ignored directory inside a larger repository (a build directory, a home under git) is no part of it.
  if (nothing && location.value.prefix !== "" && (await isIgnored(room, directory, signal)))
    return plain(room, repositoryId, directory, signal);
  return { location: location.value, head: head.value, listing: listing.value };
}

async function plain(
  room: Room,
  repositoryId: string,
  directory: string,
  signal?: AbortSignal,
): Promise<Sight> {
  const mirror = mirrorAt(room.directory, repositoryId, "sha1");
  await openMirror(mirror, room.clock);
  return {
    location: null,
    head: noHead,
    listing: await listEverything(room, directory, mirror.path, signal),
  };
}

function withoutPlaces(listing: Listing, directory: string, places: readonly string[]): Listing {
  const inside = places
    .map((place) => relative(directory, place))
    .filter((path) => path !== "" && !isAbsolute(path) && path !== ".." && !path.startsWith(`..${sep}`))
    .map((path) => Buffer.from(path).toString("latin1"));
  if (inside.length === 0) return listing;
  const keep = (path: string) => !inside.some((place) => path === place || path.startsWith(`${place}/`));
  return {
    files: new Set([...listing.files].filter(keep)),
    gitlinks: new Set([...listing.gitlinks].filter(keep)),
    untracked: new Set([...listing.untracked].filter(keep)),
  };
}

function withoutDeleted(listing: Listing, head: Head, prefix: string): Listing {
  if (head.deleted.size === 0) return listing;
  const above = prefix === "" ? "" : `${Buffer.from(prefix).toString("latin1")}/`;
  const there = (path: string) => listing.untracked.has(path) || !head.deleted.has(above + path);
  return { ...listing, files: new Set([...listing.files].filter(there)) };
}

async function write(
  room: Room,
  mirror: Mirror,
  directory: string,
  listing: Listing,
  signal?: AbortSignal,
): Promise<{ tree: string; entries: number; links: number }> {
  await using place = await privatePlace(mirror);
  const index = join(place.path, "index");
  const gone = await takeStatCache(mirror, directory, listing, index);
  const links = await linkArguments(room, mirror, directory, listing, signal);
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
  const args = ["-C", directory, "update-index", "--add", "--remove", "--replace", ...links, "-z", "--stdin"];
  const stdin = join(place.path, "paths");
  const update = async (paths: readonly string[]) => {
    await writeFile(stdin, Buffer.from(paths.map((path) => `${path}\0`).join(""), "latin1"));
    return room.git.run({ ...call, args, stdin }, signal);
  };
  let updated = await update([...listing.files, ...(gone ?? [])]);
  if (updated.code !== 0 && gone !== null) {
    // An earlier state can be in the way (what was a directory is a symlink now): then without it.
    await rm(index, { force: true });
    updated = await update([...listing.files]);
  }
  if (updated.code !== 0) throw unreadable(updated, directory);
  const { stdout } = await room.git.expect({ ...call, args: ["write-tree"] }, quote(directory), signal);
  const tree = stdout.toString("latin1").trim();
  const entries = await countEntries(index);
  await takeOver(objects, mirror);
  await rm(objects, { recursive: true, force: true });
  try {
    await writeAside(join(mirror.path, "verbatim", tree), "");
    if (listing.gitlinks.size === 0) await keepStatCache(mirror, directory, listing, place.path);
  } catch (error) {
    throw unusable(mirror.path, error);
  }
  return { tree, entries, links: links.length / 2 };
}

/** A nested repository without a commit, or with ids of the other hash function, cannot be recorded in a tree. */
async function linkArguments(
  room: Room,
  mirror: Mirror,
  directory: string,
  listing: Listing,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const found = await Promise.all(
    [...listing.gitlinks].map(async (bytes) => {
      const path = Buffer.from(bytes, "latin1").toString("utf8");
      const commit = await nestedCommit(room, join(directory, path), signal);
      return commit === null || formatOf(commit) !== mirror.format
        ? []
        : ["--cacheinfo", `160000,${commit},${path}`];
    }),
  );
  return found.flat();
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
