/**
 * Packs one commit (without its history) of a person's repository into the mirror. git runs in the mirror and only
 * borrows the person's objects, so that nothing of theirs is written, and what arrives needs them no more.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { explainGit } from "./git-problem.ts";
import { type Mirror, privatePlace, publishCommit, recentCommits, treeOfCommit, unusable } from "./mirror.ts";
import type { Location } from "./person-repository.ts";
import type { Room } from "./room.ts";
import { takeOver, writesAside } from "./take-over.ts";
import { quote } from "./url.ts";

/** Answers the commit's tree, or null where the person's repository lacks some of its objects (a partial clone). */
export async function importCommit(
  room: Room,
  mirror: Mirror,
  from: Pick<Location, "objects">,
  commit: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const known = await treeOfCommit(mirror, commit);
  if (known !== null) return known;
  // Damaged or half-present earlier commits must not spoil this one: then it is packed whole.
  const packed =
    (await pack(room, mirror, from, commit, await recentCommits(mirror), signal)) ||
    (await pack(room, mirror, from, commit, [], signal));
  if (!packed) return null;
  const { code, stdout, stderr } = await room.git.run(
    {
      ...commonTo(room, mirror),
      args: ["rev-parse", "--quiet", `${commit}^{tree}`],
      env: { GIT_DIR: mirror.path },
    },
    signal,
  );
  if (code !== 0) throw explainGit({ code, stderr }, `the commit ${commit} of ${quote(from.objects)}`);
  const tree = stdout.toString("latin1").trim();
  await publishCommit(mirror, commit, tree);
  return tree;
}

const commonTo = (room: Room, mirror: Mirror) =>
  ({ cwd: mirror.path, limitMs: room.limits.localMs, config: "none" }) as const;

/** In a private place, so that what git had written when the disk was full, or when it was killed, goes with it. */
async function pack(
  room: Room,
  mirror: Mirror,
  from: Pick<Location, "objects">,
  commit: string,
  haves: readonly string[],
  signal?: AbortSignal,
): Promise<boolean> {
  await using place = await privatePlace(mirror);
  const packs = join(place.path, "pack");
  await mkdir(packs).catch((error: unknown) => {
    throw unusable(packs, error);
  });
  const env = { GIT_DIR: mirror.path, ...writesAside(place.path, mirror, [from.objects]) };
  const cuts = [commit, ...haves].map((id) => `--shallow ${id}\n`).join("");
  const without = haves.length === 0 ? "" : `--not\n${haves.join("\n")}\n`;
  const stdin = join(place.path, "revs");
  await writeFile(stdin, `${cuts}${commit}\n${without}`).catch((error: unknown) => {
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
