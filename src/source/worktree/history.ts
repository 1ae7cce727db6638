/** The tags of a person's repository, and where its history ends if it is a shallow clone. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Room } from "../deps.ts";
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

export interface PersonHistory {
  /** What worktrees of the repository have in common. */
  readonly gitDirectory: string;
  readonly tags: readonly Tag[];
  /** Commits whose parents are not in a shallow clone. */
  readonly shallow: readonly string[];
  /** Digest of both: while it is the same, nothing has been tagged or fetched. */
  readonly seen: string;
}

const call = (room: Room, gitDirectory: string, args: readonly string[]) =>
  ({
    args,
    cwd: room.directory,
    env: { GIT_DIR: gitDirectory },
    limitMs: room.limits.localMs,
    config: "none",
  }) as const;

export async function readPersonHistory(
  room: Room,
  { objects }: Pick<Location, "objects">,
  signal?: AbortSignal,
): Promise<PersonHistory> {
  const gitDirectory = dirname(objects);
  const [{ stdout }, shallow] = await Promise.all([
    room.git.run(call(room, gitDirectory, listTags), signal),
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

/** The part of it that belongs to one commit. */
export async function reachOf(
  room: Room,
  { gitDirectory, tags, shallow }: PersonHistory,
  commit: string,
  signal?: AbortSignal,
): Promise<Pick<CommitRecord, "cuts" | "tags">> {
  const ends = ["rev-list", "--max-parents=0", commit];
  const ask = async (args: readonly string[]) =>
    (await room.git.run(call(room, gitDirectory, args), signal)).stdout.toString("latin1");
  const [reached, last] = await Promise.all([
    tags.length === 0 ? "" : ask(namesOfTags(commit)),
    shallow.length === 0 ? "" : ask(ends),
  ]);
  const known = new Set(shallow);
  return { tags: tagsNamed(tags, reached), cuts: last.split("\n").filter((id) => known.has(id)) };
}
