/**
 * What the mirror knows of a commit: its tree, how far back its history reaches, and the tags that point into it. The
 * record is written after the objects, so its presence proves that they are there. One of an older version holds the
 * tree alone: then nothing but the commit itself is there.
 */
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { absent, type Mirror, writeAside } from "./mirror.ts";
import { isCommitId } from "./ref.ts";

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
  /** `refs/tags/…`. */
  readonly name: string;
  /** The tag's own object, or the commit's. */
  readonly id: string;
  readonly commit: string;
}

/** The format of `git for-each-ref` that `parseTags` reads. */
export const tagFormat = "%(objectname) %(*objectname) %(refname)";

export function parseTags(text: string): readonly Tag[] {
  return text.split("\n").flatMap((line) => {
    const [, id, peeled, name] = /^(\S+) (\S*) (refs\/tags\/.+)$/.exec(line) ?? [];
    if (id === undefined || name === undefined) return [];
    return [{ name, id, commit: peeled === undefined || peeled === "" ? id : peeled }];
  });
}

/** The content of `packed-refs`; git wants it sorted by bytes. */
export function packedRefs(tags: readonly Tag[]): string {
  const sorted = tags.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const lines = sorted.map(({ name, id, commit }) => `${id} ${name}\n${id === commit ? "" : `^${commit}\n`}`);
  return `# pack-refs with: peeled fully-peeled sorted \n${lines.join("")}`;
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
  const kept = tags === "tags" ? "" : await readFile(join(mirror.path, "tags", tags), "utf8").catch(absent);
  if (kept === null) return null;
  return {
    tree,
    cuts: cuts.split(" ").slice(1),
    tags: parseTags(kept),
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
  if (text !== "" && (await readFile(file, "utf8").catch(absent)) !== text) await writeAside(file, text);
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
