/**
 * Snapshots a working copy as a tree in the mirror. The working copy's git lists the paths. A private index and the
 * mirror's object store get their bytes, without any conversion because of the mirror's info/attributes. The index is the
 * stat cache of the next snapshot. HEAD's objects are imported first, so that an unchanged file costs no write.
 */
import { realpath } from "node:fs/promises";
import { isAbsolute, relative, sep } from "node:path";
import { Problem } from "../../kernel/index.ts";
import {
  addressesBelow,
  addressesOnDisk,
  remoteOf,
  type SubmoduleAddress,
  saveAddresses,
  topOf,
} from "../checkout/submodule-addresses.ts";
import type { SourceDeps } from "../deps.ts";
import { refParts } from "../git/ref.ts";
import { quote } from "../git/url.ts";
import { publishCommit, recordOf } from "../mirror/commit-record.ts";
import { importCommit } from "../mirror/import-commit.ts";
import { type Mirror, mirrorAt, openMirror } from "../mirror/mirror.ts";
import type { WorkingTree, WorkingTreeRequest } from "../types.ts";
import { type Listing, listEverything, listFiles } from "./listing.ts";
import {
  checkDirectory,
  type Head,
  isIgnored,
  type Location,
  locate,
  readHead,
  tagAt,
  treeAt,
} from "./repository.ts";
import { isSameCheckout } from "./same-checkout.ts";
import { commitTree, type TakenSubmodule, takeSubmodules } from "./submodules.ts";
import { writeTree } from "./write-tree.ts";

interface WorkingCopy {
  readonly location: Location | null;
  readonly head: Head;
  readonly listing: Listing;
}

const noHead: Head = { commit: null, branch: null, trackedChanges: false, deleted: new Set() };
/** Empty tree, for a directory that is not in the commit. */
const emptyTrees = {
  sha1: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  sha256: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
} as const;

export async function snapshotWorkingTree(
  deps: SourceDeps,
  request: WorkingTreeRequest,
  signal?: AbortSignal,
): Promise<WorkingTree> {
  await checkDirectory(request.directory);
  const directory = await realpath(request.directory);
  const sight = await inspect(deps, request.repositoryId, directory, signal);
  const { location, head } = sight;
  const mirror = mirrorAt(deps.directory, request.repositoryId, location?.format ?? "sha1");
  await openMirror(mirror, deps.clock);
  const places = [deps.directory, ...(request.exclude ?? [])];
  const taken = await take(deps, mirror, { ...request, directory, places }, sight, signal);
  const detached = head.commit !== null && head.branch === null;
  const tag = detached && head.commit !== null ? await tagAt(deps, directory, head.commit, signal) : null;
  return {
    commit: head.commit,
    tree: taken.tree,
    ...refParts(head.branch === null ? tag : `refs/heads/${head.branch}`),
    // Does not use `git status`, from which index flags, sparse checkouts and conversions hide differences.
    dirty: head.commit !== null && (taken.committed ?? emptyTrees[mirror.format]) !== taken.tree,
    cut: taken.cut,
    subpath: location?.prefix || null,
    fileCount: taken.fileCount,
    submodules: taken.submodules,
    nested: taken.nested.map((path) => Buffer.from(path, "latin1").toString()),
  };
}

interface Place {
  readonly repositoryId: string;
  readonly directory: string;
  /** Absolute paths to exclude. */
  readonly places: readonly string[];
}

interface Taken {
  readonly tree: string;
  /** The commit's tree of the directory, or null. */
  readonly committed: string | null;
  /** True if the commit is in the mirror with all its files. */
  readonly whole: boolean;
  readonly cut: boolean;
  readonly fileCount: number;
  readonly submodules: boolean;
  readonly nested: readonly string[];
}

async function take(
  deps: SourceDeps,
  mirror: Mirror,
  place: Place,
  { location, head, listing: all }: WorkingCopy,
  signal?: AbortSignal,
): Promise<Taken> {
  const { directory, places } = place;
  const { committed, whole, cut } = await importTree(deps, mirror, directory, location, head, signal);
  const listing = withoutDeleted(withoutPlaces(all, directory, places), head, location?.prefix ?? "");
  const submodule = (path: string) => takeSubmodule(deps, mirror, { ...place, directory: path }, signal);
  const { links, files, known } = await takeSubmodules(deps, mirror, directory, listing, submodule, signal);
  const content = { files: new Set([...listing.files, ...files]), links };
  const written = await writeTree(deps, mirror, directory, content, signal);
  const isCommitted =
    committed !== null &&
    whole &&
    !head.trackedChanges &&
    written.tree !== committed &&
    (await isSameCheckout(deps, mirror, { committed, taken: written.tree }, signal));
  const tree = isCommitted ? committed : written.tree;
  if (links.size > 0) {
    const found = location ?? { prefix: "" };
    const top = topOf(directory, found);
    const declared = addressesBelow(await addressesOnDisk(deps, top, signal), found);
    const merged = new Map<string, SubmoduleAddress>(declared);
    for (const [path, more] of known) merged.set(path, { url: null, ...declared.get(path), ...more });
    const base = await remoteOf(deps, top, head.branch, signal);
    await saveAddresses(mirror, tree, { base, links: merged });
  }
  const nested = [...listing.gitlinks.keys()].filter((path) => listing.untracked.has(path));
  const submodules = listing.gitlinks.size > nested.length;
  return { tree, committed, whole, cut, fileCount: written.fileCount, submodules, nested };
}

async function takeSubmodule(
  deps: SourceDeps,
  mirror: Mirror,
  place: Place,
  signal?: AbortSignal,
): Promise<TakenSubmodule | null> {
  const sight = await inspect(deps, place.repositoryId, place.directory, signal);
  if (sight.location?.prefix !== "" || sight.location.format !== mirror.format) return null;
  const { commit } = sight.head;
  const { tree, committed, whole } = await take(deps, mirror, place, sight, signal);
  if (commit !== null && tree === committed) return { commit };
  const parent = whole ? commit : null;
  const made = await commitTree(deps, mirror, tree, parent, signal);
  const before = parent === null ? null : await recordOf(mirror, parent);
  await publishCommit(mirror, made, { tree, cuts: before?.cuts ?? [], tags: before?.tags ?? [], seen: null });
  return parent === null ? { commit: made } : { commit: made, head: parent };
}

async function importTree(
  deps: SourceDeps,
  mirror: Mirror,
  directory: string,
  location: Location | null,
  { commit }: Head,
  signal?: AbortSignal,
): Promise<Pick<Taken, "committed" | "whole" | "cut">> {
  if (location === null || commit === null) return { committed: null, whole: false, cut: false };
  const imported = await importCommit(deps, mirror, location, commit, signal);
  const whole = imported !== null;
  const cut = imported !== null && imported.cuts.length > 0;
  if (imported !== null && location.prefix === "") return { committed: imported.tree, whole, cut };
  return { committed: await treeAt(deps, directory, commit, location.kind, signal), whole, cut };
}

/** Runs three git calls concurrently. Outside of a repository the second and third fail. */
async function inspect(
  deps: SourceDeps,
  repositoryId: string,
  directory: string,
  signal?: AbortSignal,
): Promise<WorkingCopy> {
  const [location, head, listing] = await Promise.allSettled([
    locate(deps, directory, signal),
    readHead(deps, directory, signal),
    listFiles(deps, directory, signal),
  ]);
  if (location.status === "rejected") throw location.reason;
  if (location.value === null) return plain(deps, repositoryId, directory, signal);
  if (location.value.kind === "bare")
    throw new Problem("source_refused", `${quote(directory)} is a bare repository without files.`, {
      remedy: "Give one of its commits with --ref.",
      place: directory,
    });
  if (head.status === "rejected") throw head.reason;
  if (listing.status === "rejected") throw listing.reason;
  const nothing = listing.value.files.size === 0 && listing.value.gitlinks.size === 0;
  // An ignored directory in a larger repository (a build directory, a home under git) does not belong to it.
  if (nothing && location.value.prefix !== "" && (await isIgnored(deps, directory, signal)))
    return plain(deps, repositoryId, directory, signal);
  return { location: location.value, head: head.value, listing: listing.value };
}

async function plain(
  deps: SourceDeps,
  repositoryId: string,
  directory: string,
  signal?: AbortSignal,
): Promise<WorkingCopy> {
  const mirror = mirrorAt(deps.directory, repositoryId, "sha1");
  await openMirror(mirror, deps.clock);
  return {
    location: null,
    head: noHead,
    listing: await listEverything(deps, directory, mirror.path, signal),
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
    gitlinks: new Map([...listing.gitlinks].filter(([path]) => keep(path))),
    untracked: new Set([...listing.untracked].filter(keep)),
  };
}

function withoutDeleted(listing: Listing, head: Head, prefix: string): Listing {
  if (head.deleted.size === 0) return listing;
  const above = prefix === "" ? "" : `${Buffer.from(prefix).toString("latin1")}/`;
  const there = (path: string) => listing.untracked.has(path) || !head.deleted.has(above + path);
  return { ...listing, files: new Set([...listing.files].filter(there)) };
}
