/**
 * Packs one commit (without its history) of a person's repository into the mirror. git runs in the mirror and only
 * borrows the person's objects, so that nothing of theirs is written, and what arrives needs them no more.
 */

import { explainGit } from "./git-problem.ts";
import { type Mirror, publishCommit, quotePath, recentCommits, treeOfCommit } from "./mirror.ts";
import type { Location } from "./person-repository.ts";
import type { Room } from "./room.ts";
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
  const borrowed = { GIT_DIR: mirror.path, GIT_ALTERNATE_OBJECT_DIRECTORIES: quotePath(from.objects) };
  const common = { cwd: mirror.path, env: borrowed, limitMs: room.limits.localMs, config: "none" } as const;
  // Damaged or half-present earlier commits must not spoil this one: then it is packed whole.
  const packed =
    (await pack(room, mirror, common, commit, await recentCommits(mirror), signal)) ||
    (await pack(room, mirror, common, commit, [], signal));
  if (!packed) return null;
  const { code, stdout, stderr } = await room.git.run(
    { ...common, args: ["rev-parse", "--quiet", `${commit}^{tree}`], env: { GIT_DIR: mirror.path } },
    signal,
  );
  if (code !== 0) throw explainGit({ code, stderr }, `the commit ${commit} of ${quote(from.objects)}`);
  const tree = stdout.toString("latin1").trim();
  await publishCommit(mirror, commit, tree);
  return tree;
}

async function pack(
  room: Room,
  mirror: Mirror,
  common: { cwd: string; env: Record<string, string>; limitMs: number; config: "none" },
  commit: string,
  haves: readonly string[],
  signal?: AbortSignal,
): Promise<boolean> {
  const cuts = [commit, ...haves].map((id) => `--shallow ${id}\n`).join("");
  const without = haves.length === 0 ? "" : `--not\n${haves.join("\n")}\n`;
  const { code, stderr } = await room.git.run(
    {
      ...common,
      args: ["pack-objects", "--revs", "--quiet", "--non-empty", "--window=0", `${mirror.objects}/pack/pack`],
      input: `${cuts}${commit}\n${without}`,
    },
    signal,
  );
  if (code !== 0) room.log.debug({ stderr }, "git pack-objects did not find every object");
  return code === 0;
}
