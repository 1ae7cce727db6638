/**
 * The submodules of a person's directory, as links of the tree that is taken. One that is checked out is taken from
 * where it lies: its commit if nothing differs from it, else a commit that is made for what lies there. One that was
 * never initialised is linked as the index says, to be fetched when a checkout asks for it.
 */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { SubmoduleAddress } from "../checkout/submodule-addresses.ts";
import type { Room } from "../deps.ts";
import { formatOf, type Mirror, privatePlace } from "../mirror/mirror.ts";
import { takeOver, writesAside } from "../mirror/take-over.ts";
import { type Listing, nestedCommit } from "./repository.ts";

/** The commit to link; `head` as in `SubmoduleAddress`. */
export interface TakenSubmodule {
  readonly commit: string;
  readonly head?: string;
}

export interface TakenLinks {
  /** Bytes of the path (latin1) → commit. */
  readonly links: ReadonlyMap<string, string>;
  /** Paths of links where a file or symlink lies now. */
  readonly files: readonly string[];
  /** Facts that .gitmodules does not have, by path. */
  readonly known: ReadonlyMap<string, Omit<SubmoduleAddress, "url" | "name">>;
}

/** @param take takes the repository in a directory; null where it cannot stand in the mirror's trees */
export async function takeSubmodules(
  room: Room,
  mirror: Mirror,
  directory: string,
  listing: Listing,
  take: (directory: string) => Promise<TakenSubmodule | null>,
  signal?: AbortSignal,
): Promise<TakenLinks> {
  const links = new Map<string, string>();
  const known = new Map<string, Omit<SubmoduleAddress, "url" | "name">>();
  const files: string[] = [];
  for (const [bytes, indexed] of listing.gitlinks) {
    const path = Buffer.from(bytes, "latin1").toString("utf8");
    const at = join(directory, path);
    const found = await lstat(at).catch(() => null);
    if (found === null) continue;
    if (!found.isDirectory()) {
      files.push(bytes);
      continue;
    }
    if (indexed === null) {
      const commit = await nestedCommit(room, at, signal);
      if (commit === null || formatOf(commit) !== mirror.format) continue;
      links.set(bytes, commit);
      known.set(path, { nested: true });
      continue;
    }
    const isThere = (await lstat(join(at, ".git")).catch(() => null)) !== null;
    const taken = isThere ? await take(at) : null;
    links.set(bytes, taken?.commit ?? indexed);
    if (taken?.head !== undefined) known.set(path, { head: taken.head });
  }
  return { links, files, known };
}

/** The same commit for the same tree and parent, so that an unchanged directory gives an unchanged tree. */
export async function commitTree(
  room: Room,
  mirror: Mirror,
  tree: string,
  parent: string | null,
  signal?: AbortSignal,
): Promise<string> {
  await using place = await privatePlace(mirror);
  const who = { NAME: "Shipinator", EMAIL: "shipinator@localhost", DATE: "@0 +0000" };
  const people = ["AUTHOR", "COMMITTER"].flatMap((role) =>
    Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]),
  );
  const call = {
    args: [
      "commit-tree",
      ...(parent === null ? [] : ["-p", parent]),
      "-m",
      "Uncommitted changes of a working directory",
      tree,
    ],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path, ...writesAside(place.path, mirror), ...Object.fromEntries(people) },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await room.git.expect(call, `the tree ${tree}`, signal);
  await takeOver(place.path, mirror);
  return stdout.toString("latin1").trim();
}
