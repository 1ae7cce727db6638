/** Reads the tags of a working copy's repository, and the end of its history in a shallow clone. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SourceDeps } from "../deps.ts";
import { isCommitId } from "../git/ref.ts";
import {
  type CommitRecord,
  digestOf,
  listTags,
  namesOfTags,
  peeledTags,
  type Tag,
  tagsNamed,
} from "../mirror/commit-record.ts";
import { absent } from "../mirror/mirror.ts";
import type { Location } from "./repository.ts";

export interface WorkingCopyHistory {
  /** Common git directory of all worktrees of the repository. */
  readonly gitDirectory: string;
  readonly tags: readonly Tag[];
  /** Commits whose parents are missing in a shallow clone. */
  readonly shallow: readonly string[];
  /** Digest of tags and shallow commits. It changes when something is tagged or fetched. */
  readonly seen: string;
}

const call = (deps: SourceDeps, gitDirectory: string, args: readonly string[]) =>
  ({
    args,
    cwd: deps.directory,
    env: { GIT_DIR: gitDirectory },
    limitMs: deps.limits.localMs,
    config: "none",
  }) as const;

export async function readHistory(
  deps: SourceDeps,
  { objects }: Pick<Location, "objects">,
  signal?: AbortSignal,
): Promise<WorkingCopyHistory> {
  const gitDirectory = dirname(objects);
  const [{ stdout }, shallow] = await Promise.all([
    deps.git.run(call(deps, gitDirectory, listTags), signal),
    readFile(join(gitDirectory, "shallow"), "utf8").catch(absent),
  ]);
  const tags = stdout.toString("latin1");
  return {
    gitDirectory,
    tags: peeledTags(tags),
    shallow: (shallow ?? "").split("\n").filter(isCommitId),
    seen: digestOf(`${tags}\n${shallow ?? ""}`),
  };
}

/** Selects the part of the history that belongs to one commit. */
export async function reachOf(
  deps: SourceDeps,
  { gitDirectory, tags, shallow }: WorkingCopyHistory,
  commit: string,
  signal?: AbortSignal,
): Promise<Pick<CommitRecord, "cuts" | "tags">> {
  const ends = ["rev-list", "--max-parents=0", commit];
  const ask = async (args: readonly string[]) =>
    (await deps.git.run(call(deps, gitDirectory, args), signal)).stdout.toString("latin1");
  const [reached, last] = await Promise.all([
    tags.length === 0 ? "" : ask(namesOfTags(commit)),
    shallow.length === 0 ? "" : ask(ends),
  ]);
  const known = new Set(shallow);
  return { tags: tagsNamed(tags, reached), cuts: last.split("\n").filter((id) => known.has(id)) };
}
