/**
 * What the mirror knows of a commit: its tree, how far back its history reaches, and the tags that point into it. The
 * record is written after the objects, so its presence proves that they are there. One of an older version holds the
 * tree alone: then nothing but the commit itself is there.
 */
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isCommitId } from "../git/ref.ts";
import { absent, type Mirror, writeAside } from "./mirror.ts";

const haveLimit = 32;

export interface CommitRecord {
  readonly tree: string;
  /** Commits of its history whose parents are not here. None: all of the history is here. */
  readonly cuts: readonly string[];
  /** Tags that point into its history, by name. */
  readonly tags: readonly Tag[];
  /** Digest of all tags that its repository had then; null where nobody asked. */
  readonly seen: string | null;
}

export interface Tag {
  /** `refs/tags/…`, its bytes as latin1: git allows names that are not UTF-8. */
  readonly name: string;
  /** The tag's own object, or the commit's. */
  readonly id: string;
  readonly commit: string;
}

/** The arguments of git that print what `peeledTags` reads. It follows a tag of a tag down to the commit. */
export const listTags = ["show-ref", "--tags", "--dereference"] as const;

/** The tags among the refs that git lists. Names are bytes, so `text` is latin1. */
export function peeledTags(text: string): readonly Tag[] {
  const tags = new Map<string, Tag>();
  for (const line of text.split("\n")) {
    const [, id, name, peeled] = /^(\S+) (refs\/tags\/.+?)(\^\{\})?$/.exec(line) ?? [];
    if (id === undefined || name === undefined) continue;
    tags.set(name, { name, id: (peeled && tags.get(name)?.id) || id, commit: id });
  }
  return [...tags.values()];
}

/** The arguments of git that print the names of the tags that point into the history of a commit. */
export const namesOfTags = (commit: string) =>
  ["for-each-ref", `--merged=${commit}`, "--format=%(refname)", "refs/tags"] as const;

/** The tags with these names, one name a line. A tag of a blob or tree points into no history, so git names none. */
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

/** The content of `packed-refs`; git wants it sorted by bytes. */
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

/** The tree of a commit that is in the mirror, or null. */
export async function treeOfCommit(mirror: Mirror, commit: string): Promise<string | null> {
  return (await recordOf(mirror, commit))?.tree ?? null;
}

export async function publishCommit(mirror: Mirror, commit: string, record: CommitRecord): Promise<void> {
  const { tree, cuts, tags, seen } = record;
  const text = tags.map(({ id, commit: at, name }) => `${id} ${at} ${name}\n`).join("");
  // Many commits have the same tags, so they lie beside the records.
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

/** Withdraws the proof, after its objects were found damaged. */
export async function withdrawCommit(mirror: Mirror, commit: string): Promise<void> {
  await rm(fileOf(mirror, commit), { force: true });
  const others = (await completeCommits(mirror)).filter((other) => other !== commit);
  await writeAside(completeOf(mirror), `${others.join("\n")}\n`);
}

/**
 * Commits with all of their history, newest first: what a further fetch need not bring again. Two writers may lose an
 * entry: a hint.
 */
export async function completeCommits(mirror: Mirror): Promise<readonly string[]> {
  const text = await readFile(completeOf(mirror), "utf8").catch(absent);
  return (text ?? "").split("\n").filter(isCommitId);
}
