/**
 * Packs a commit of a person's repository into the mirror, with its history and the tags that point into it; later what
 * is new since the commits that are there. git runs in the mirror and only
 * borrows the person's objects, so that nothing of theirs is written, and what arrives needs them no more.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Room } from "../deps.ts";
import { explainGit } from "../git/problem.ts";
import { quote } from "../git/url.ts";
import { reachOf, readPersonHistory } from "../worktree/history.ts";
import type { Location } from "../worktree/repository.ts";
import { type CommitRecord, completeCommits, publishCommit, recordOf } from "./commit-record.ts";
import { type Mirror, privatePlace, unusable } from "./mirror.ts";
import { takeOver, writesAside } from "./take-over.ts";

/** Gives the commit's record, or null where the person's repository lacks some of its objects (a partial clone). */
export async function importCommit(
  room: Room,
  mirror: Mirror,
  from: Pick<Location, "objects">,
  commit: string,
  signal?: AbortSignal,
): Promise<CommitRecord | null> {
  const [known, history] = await Promise.all([
    recordOf(mirror, commit),
    readPersonHistory(room, from, signal),
  ]);
  if (known?.seen === history.seen) return known;
  const reached = await reachOf(room, history, commit, signal);
  const alone = { cuts: [commit], tags: history.tags.filter((tag) => tag.commit === commit) };
  // Damaged or half-present earlier commits must not spoil this one, nor must a history with gaps: then less is packed.
  const tries = [
    { ...reached, haves: await completeCommits(mirror) },
    { ...reached, haves: [] },
    { ...alone, haves: [] },
  ];
  for (const { haves, ...found } of tries) {
    if (!(await pack(room, mirror, from, { commit, ...found, haves }, signal))) continue;
    const record = { ...found, tree: await treeOf(room, mirror, from, commit, signal), seen: history.seen };
    await publishCommit(mirror, commit, record);
    return record;
  }
  return null;
}

async function treeOf(
  room: Room,
  mirror: Mirror,
  from: Pick<Location, "objects">,
  commit: string,
  signal?: AbortSignal,
): Promise<string> {
  const args = ["rev-parse", "--quiet", `${commit}^{tree}`];
  const call = { ...commonTo(room, mirror), args, env: { GIT_DIR: mirror.path } };
  const what = `the commit ${commit} of ${quote(from.objects)}`;
  return (await room.git.expect(call, what, signal)).stdout.toString("latin1").trim();
}

const commonTo = (room: Room, mirror: Mirror) =>
  ({ cwd: mirror.path, limitMs: room.limits.localMs, config: "none" }) as const;

interface Packed extends Pick<CommitRecord, "cuts" | "tags"> {
  readonly commit: string;
  readonly haves: readonly string[];
}

/** In a private place, so that what git had written when the disk was full, or when it was killed, goes with it. */
async function pack(
  room: Room,
  mirror: Mirror,
  from: Pick<Location, "objects">,
  { commit, cuts, tags, haves }: Packed,
  signal?: AbortSignal,
): Promise<boolean> {
  await using place = await privatePlace(mirror);
  const packs = join(place.path, "pack");
  await mkdir(packs).catch((error: unknown) => {
    throw unusable(packs, error);
  });
  const env = { GIT_DIR: mirror.path, ...writesAside(place.path, mirror, [from.objects]) };
  const shallow = cuts.map((id) => `--shallow ${id}\n`).join("");
  const wanted = [commit, ...tags.map(({ id }) => id)].map((id) => `${id}\n`).join("");
  const without = haves.length === 0 ? "" : `--not\n${haves.join("\n")}\n`;
  const stdin = join(place.path, "revs");
  await writeFile(stdin, `${shallow}${wanted}${without}`).catch((error: unknown) => {
    throw unusable(stdin, error);
  });
  const { code, stderr } = await room.git.run(
    {
      ...commonTo(room, mirror),
      env,
      args: ["pack-objects", "--revs", "--quiet", "--non-empty", "--window=0", join(packs, "pack")],
      stdin,
    },
    signal,
  );
  if (code === 0) {
    await takeOver(place.path, mirror);
    return true;
  }
  const failure = explainGit({ code, stderr }, `the commit ${commit} of ${quote(from.objects)}`);
  if (failure.code === "storage_failed") throw failure;
  room.log.debug({ stderr }, "git pack-objects did not find every object");
  return false;
}
