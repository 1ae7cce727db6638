/**
 * Submodules of a working copy, as links of the snapshot's tree. An initialised submodule gives its commit if it is
 * unchanged, else a new commit of its files. Any other gives the commit in the index, which a checkout fetches on request.
 */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { SubmoduleAddress } from "../checkout/submodule-addresses.ts";
import type { SourceDeps } from "../deps.ts";
import { ingest, writesAside } from "../mirror/ingest.ts";
import { formatOf, type Mirror, privatePlace } from "../mirror/mirror.ts";
import type { Listing } from "./listing.ts";
import { nestedCommit } from "./repository.ts";

/** Commit to link. See `SubmoduleAddress` for `head`. */
export interface TakenSubmodule {
  readonly commit: string;
  readonly head?: string;
}

export interface TakenLinks {
  /** Commits by path (latin1 bytes). */
  readonly links: ReadonlyMap<string, string>;
  /** Paths of links that are now files or symlinks. */
  readonly files: readonly string[];
  /** Facts that are not in .gitmodules, by path. */
  readonly known: ReadonlyMap<string, Omit<SubmoduleAddress, "url" | "name">>;
}

/** @param take snapshots the repository in a directory; null if the mirror's trees cannot contain it */
export async function takeSubmodules(
  deps: SourceDeps,
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
      const commit = await nestedCommit(deps, at, signal);
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

/** Makes a commit that depends only on tree and parent, so that an unchanged directory gives an unchanged tree. */
export async function commitTree(
  deps: SourceDeps,
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
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await deps.git.expect(call, `the tree ${tree}`, signal);
  await ingest(place.path, mirror);
  return stdout.toString("latin1").trim();
}
