/**
 * Record of a commit in the mirror: its tree, the extent of its history, and the tags that point into it. It is written
 * after the objects, so its presence proves that they exist. A record of an older version has only the tree, so only the
 * commit itself exists.
 */
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isCommitId } from "../git/ref.ts";
import { absent, type Mirror, writeAside } from "./mirror.ts";

const haveLimit = 32;

export interface CommitRecord {
  readonly tree: string;
  /** Commits of its history whose parents are missing. Empty for a complete history. */
  readonly cuts: readonly string[];
  /** Tags that point into its history. */
  readonly tags: readonly Tag[];
  /** Digest of all tags of its repository at that time. Null if unknown. */
  readonly seen: string | null;
}

export interface Tag {
  /** `refs/tags/…` as latin1 bytes, because git allows names that are not UTF-8. */
  readonly name: string;
  /** Id of the tag object, or of the commit. */
  readonly id: string;
  readonly commit: string;
}

/** Arguments of git that print input for `peeledTags`. git resolves a tag of a tag to the commit. */
export const listTags = ["show-ref", "--tags", "--dereference"] as const;

/** Parses the tags from git's list of refs. Names are bytes, so `text` is latin1. */
export function peeledTags(text: string): readonly Tag[] {
  const tags = new Map<string, Tag>();
  for (const line of text.split("\n")) {
    const [, id, name, peeled] = /^(\S+) (refs\/tags\/.+?)(\^\{\})?$/.exec(line) ?? [];
    if (id === undefined || name === undefined) continue;
    tags.set(name, { name, id: (peeled && tags.get(name)?.id) || id, commit: id });
  }
  return [...tags.values()];
}

/** Arguments of git that print the names of the tags that point into the history of a commit. */
export const namesOfTags = (commit: string) =>
  ["for-each-ref", `--merged=${commit}`, "--format=%(refname)", "refs/tags"] as const;

/** Selects the tags with these names, one per line. git leaves out tags of blobs and trees. */
export function tagsNamed(tags: readonly Tag[], names: string): readonly Tag[] {
  const wanted = new Set(names.split("\n"));
  return tags.filter(({ name }) => wanted.has(name));
}

function recordedTags(text: string): readonly Tag[] {
  return text.split("\n").flatMap((line) => {
    const [, id, commit, name] = /^(\S+) (\S+) (refs\/tags\/.+)$/.exec(line) ?? [];
    return id === undefined || commit === undefined || name === undefined ? [] : [{ name, id, commit }];
  });
}

/** Content of `packed-refs`, which git requires sorted by bytes. */
export function packedRefs(tags: readonly Tag[]): Buffer {
  const bytes = ({ name }: Tag) => Buffer.from(name, "latin1");
  const sorted = tags.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b)));
  const lines = sorted.map(({ name, id, commit }) => `${id} ${name}\n${id === commit ? "" : `^${commit}\n`}`);
  return Buffer.from(`# pack-refs with: peeled fully-peeled sorted \n${lines.join("")}`, "latin1");
}

export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

const fileOf = (mirror: Mirror, commit: string) => join(mirror.path, "commits", commit);
const completeOf = (mirror: Mirror) => join(mirror.path, "commits", "complete");

export async function recordOf(mirror: Mirror, commit: string): Promise<CommitRecord | null> {
  if (!isCommitId(commit)) return null;
  const text = await readFile(fileOf(mirror, commit), "utf8").catch(absent);
  const [tree = "", cuts, tags, seen] = (text ?? "").trim().split("\n");
  if (!isCommitId(tree)) return null;
  if (cuts === undefined || tags === undefined) return { tree, cuts: [commit], tags: [], seen: null };
  const kept = tags === "tags" ? "" : await readFile(join(mirror.path, "tags", tags), "latin1").catch(absent);
  if (kept === null) return null;
  return {
    tree,
    cuts: cuts.split(" ").slice(1),
    tags: recordedTags(kept),
    seen: seen ?? null,
  };
}

/** Tree of a commit that is in the mirror, or null. */
export async function treeOfCommit(mirror: Mirror, commit: string): Promise<string | null> {
  return (await recordOf(mirror, commit))?.tree ?? null;
}

export async function publishCommit(mirror: Mirror, commit: string, record: CommitRecord): Promise<void> {
  const { tree, cuts, tags, seen } = record;
  const text = tags.map(({ id, commit: at, name }) => `${id} ${at} ${name}\n`).join("");
  // Many commits have the same tags, so they have their own file.
  const digest = text === "" ? "tags" : digestOf(text);
  const file = join(mirror.path, "tags", digest);
  if (text !== "" && (await readFile(file, "latin1").catch(absent)) !== text)
    await writeAside(file, Buffer.from(text, "latin1"));
  const lines = [tree, ["cuts", ...cuts].join(" "), digest, ...(seen === null ? [] : [seen])];
  await writeAside(fileOf(mirror, commit), `${lines.join("\n")}\n`);
  if (cuts.length > 0) return;
  const others = (await completeCommits(mirror)).filter((other) => other !== commit);
  await writeAside(completeOf(mirror), `${[commit, ...others].slice(0, haveLimit).join("\n")}\n`);
}

/** Removes the record after its objects were found damaged. */
export async function withdrawCommit(mirror: Mirror, commit: string): Promise<void> {
  await rm(fileOf(mirror, commit), { force: true });
  const others = (await completeCommits(mirror)).filter((other) => other !== commit);
  await writeAside(completeOf(mirror), `${others.join("\n")}\n`);
}

/**
 * Commits with a complete history, newest first, which a fetch need not transfer again. Concurrent writers may lose an
 * entry, which costs only time.
 */
export async function completeCommits(mirror: Mirror): Promise<readonly string[]> {
  const text = await readFile(completeOf(mirror), "utf8").catch(absent);
  return (text ?? "").split("\n").filter(isCommitId);
}
