/**
 * Packs a commit of a working copy's repository into the mirror, with its history and tags; later only what is new. git
 * runs in the mirror and borrows the repository's objects, so it does not write to the repository, and the new pack does
 * not need it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceDeps } from "../deps.ts";
import { explainGit } from "../git/problem.ts";
import { quote } from "../git/url.ts";
import { reachOf, readHistory } from "../worktree/history.ts";
import type { Location } from "../worktree/repository.ts";
import { type CommitRecord, completeCommits, publishCommit, recordOf } from "./commit-record.ts";
import { ingest, writesAside } from "./ingest.ts";
import { type Mirror, privatePlace, unusable } from "./mirror.ts";

/** Imports a commit. Null if the repository lacks some of its objects (a partial clone). */
export async function importCommit(
  deps: SourceDeps,
  mirror: Mirror,
  from: Pick<Location, "objects">,
  commit: string,
  signal?: AbortSignal,
): Promise<CommitRecord | null> {
  const [known, history] = await Promise.all([recordOf(mirror, commit), readHistory(deps, from, signal)]);
  if (known?.seen === history.seen) return known;
  const reached = await reachOf(deps, history, commit, signal);
  const alone = { cuts: [commit], tags: history.tags.filter((tag) => tag.commit === commit) };
  // If earlier commits are damaged or the history has gaps, pack without them, and finally the commit alone.
  const tries = [
    { ...reached, haves: await completeCommits(mirror) },
    { ...reached, haves: [] },
    { ...alone, haves: [] },
  ];
  for (const { haves, ...found } of tries) {
    if (!(await pack(deps, mirror, from, { commit, ...found, haves }, signal))) continue;
    const record = {
      ...found,
      tree: await treeOf(deps, mirror, from, commit, signal),
      seen: history.seen,
    };
    await publishCommit(mirror, commit, record);
    return record;
  }
  return null;
}

async function treeOf(
  deps: SourceDeps,
  mirror: Mirror,
  from: Pick<Location, "objects">,
  commit: string,
  signal?: AbortSignal,
): Promise<string> {
  const args = ["rev-parse", "--quiet", `${commit}^{tree}`];
  const call = { ...commonTo(deps, mirror), args, env: { GIT_DIR: mirror.path } };
  const what = `the commit ${commit} of ${quote(from.objects)}`;
  return (await deps.git.expect(call, what, signal)).stdout.toString("latin1").trim();
}

const commonTo = (deps: SourceDeps, mirror: Mirror) =>
  ({ cwd: mirror.path, limitMs: deps.limits.localMs, config: "none" }) as const;

interface Packed extends Pick<CommitRecord, "cuts" | "tags"> {
  readonly commit: string;
  readonly haves: readonly string[];
}

/** Packs in a private directory, so that leftovers of a full disk or a killed git go with it. */
async function pack(
  deps: SourceDeps,
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
  const { code, stderr } = await deps.git.run(
    {
      ...commonTo(deps, mirror),
      env,
      args: ["pack-objects", "--revs", "--quiet", "--non-empty", "--window=0", join(packs, "pack")],
      stdin,
    },
    signal,
  );
  if (code === 0) {
    await ingest(place.path, mirror);
    return true;
  }
  const failure = explainGit({ code, stderr }, `the commit ${commit} of ${quote(from.objects)}`);
  if (failure.code === "storage_failed") throw failure;
  deps.log.debug({ stderr }, "git pack-objects did not find every object.");
  return false;
}
