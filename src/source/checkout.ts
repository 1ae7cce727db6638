/**
 * A tree from the mirror into an empty directory, by one git process. With a known commit the directory is a shallow
 * clone as scripts expect it (`git describe`, `git rev-parse HEAD`, `git fetch --tags` work); its objects are borrowed
 * from the mirror or copied out of it, its HEAD is detached. No person's configuration holds here, so no filter of theirs runs: a file
 * kept by Git LFS stays its pointer.
 */
import { access, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { SourceSpec } from "../domain/index.ts";
import { Problem } from "../kernel/index.ts";
import { fetchCommit, treeGone } from "./fetch.ts";
import { explainGit, looksCorrupt } from "./git-problem.ts";
import type { GitResult } from "./git-process.ts";
import {
  formatOf,
  type Mirror,
  mirrorAt,
  openMirror,
  quotePath,
  repositoryConfig,
  setAside,
  treeOfCommit,
  unusable,
  verbatimAttributes,
  withdrawCommit,
} from "./mirror.ts";
import { isCommitId } from "./ref.ts";
import type { Room } from "./room.ts";
import { type Checkout, checkoutSubmodules } from "./submodules.ts";
import type { CheckedOut } from "./types.ts";
import { checkUrl, quote } from "./url.ts";

export function checkout(
  room: Room,
  spec: SourceSpec,
  target: string,
  signal?: AbortSignal,
): Promise<CheckedOut> {
  return checkoutAt(room, spec, target, 0, signal);
}

async function checkoutAt(
  room: Room,
  spec: SourceSpec,
  target: string,
  depth: number,
  signal?: AbortSignal,
): Promise<CheckedOut> {
  if (!isCommitId(spec.tree)) throw treeGone(spec.tree);
  const mirror = mirrorAt(room.directory, spec.repositoryId, formatOf(spec.tree));
  await openMirror(mirror, room.clock);
  await prepare(target);
  await checkoutTree(room, mirror, spec, target, signal);
  if (!spec.submodules)
    return {
      notes: (await exists(join(target, ".gitmodules")))
        ? ["The repository has submodules; they are not fetched (`submodules: true` in the file asks for it)"]
        : [],
    };
  const inner: Checkout = (submodule, path, below) => checkoutAt(room, submodule, path, below, signal);
  return { notes: await checkoutSubmodules(room, mirror, spec, target, depth, inner, signal) };
}

async function prepare(target: string): Promise<void> {
  try {
    await mkdir(target, { recursive: true });
    if ((await readdir(target)).length === 0) return;
  } catch (error) {
    throw unusable(target, error);
  }
  throw new Problem("data_dir_unusable", `The directory ${quote(target)} for a checkout is not empty`);
}

type Wanted = Pick<SourceSpec, "commit" | "tree" | "cloneUrl" | "credential">;

async function checkoutTree(
  room: Room,
  mirror: Mirror,
  wanted: Wanted,
  target: string,
  signal?: AbortSignal,
) {
  const verbatim = await exists(join(mirror.path, "verbatim", wanted.tree));
  const known = wanted.commit === null ? null : await treeOfCommit(mirror, wanted.commit);
  if (!verbatim && known === null) await refetch(room, mirror, wanted, "known", signal);
  const commit = verbatim && known === null ? null : wanted.commit;
  const failed = await populate(room, mirror, { ...wanted, commit }, verbatim, target, signal);
  if (failed === null) return;
  if (!looksCorrupt(failed.stderr) || /invalid path/i.test(failed.stderr)) throw refused(failed, wanted.tree);

  room.log.warn({ mirror: mirror.path, tree: wanted.tree }, "the mirror is damaged");
  if (verbatim) {
    await setAside(mirror);
    throw treeGone(wanted.tree);
  }
  if (wanted.commit !== null) await withdrawCommit(mirror, wanted.commit);
  await refetch(room, mirror, wanted, "nothing", signal);
  for (const name of await readdir(target)) await rm(join(target, name), { recursive: true, force: true });
  const again = await populate(room, mirror, wanted, false, target, signal);
  if (again !== null) throw refused(again, wanted.tree);
}

async function refetch(
  room: Room,
  mirror: Mirror,
  wanted: Wanted,
  lends: "known" | "nothing",
  signal?: AbortSignal,
): Promise<void> {
  if (wanted.commit === null) throw treeGone(wanted.tree);
  const url = checkUrl(wanted.cloneUrl, room.urls);
  const { commit, credential = null } = wanted;
  await fetchCommit(room, mirror, { url, credential, commit, ref: null }, lends, signal);
}

function refused(failed: GitResult, tree: string): Problem {
  const path = /invalid path '([^']*)'/i.exec(failed.stderr)?.[1];
  if (path === undefined) return explainGit(failed, `the tree ${tree}`);
  return new Problem(
    "source_refused",
    `The commit has a file ${quote(path)}, a name that could harm a repository`,
    {
      remedy: "Remove the file from the repository.",
      place: path,
    },
  );
}

/** Null: done. The `.git` exists before the files, as its attributes decide about their bytes. */
async function populate(
  room: Room,
  mirror: Mirror,
  wanted: Wanted,
  verbatim: boolean,
  target: string,
  signal?: AbortSignal,
): Promise<GitResult | null> {
  const gitDirectory = join(target, ".git");
  try {
    await furnish(gitDirectory, mirror, wanted, verbatim ? verbatimAttributes : "");
  } catch (error) {
    throw unusable(gitDirectory, error);
  }
  const workers = String(Math.min(availableParallelism(), 8));
  const result = await room.git.run(
    {
      args: ["-c", `checkout.workers=${workers}`, "read-tree", "--reset", "-u", wanted.tree],
      cwd: target,
      env: { GIT_DIR: gitDirectory, GIT_WORK_TREE: target },
      limitMs: room.limits.localMs,
      config: "none",
    },
    signal,
  );
  if (result.code !== 0) return result;
  if (wanted.commit === null) await rm(gitDirectory, { recursive: true });
  else if (room.objects === "copied") return await copyObjects(room, gitDirectory, signal);
  return null;
}

/** All that the commit needs, out of the mirror into a pack of the checkout's own. Null: done. */
async function copyObjects(
  room: Room,
  gitDirectory: string,
  signal?: AbortSignal,
): Promise<GitResult | null> {
  const result = await room.git.run(
    {
      args: ["repack", "-a", "-d", "-q"],
      cwd: gitDirectory,
      env: { GIT_DIR: gitDirectory },
      limitMs: room.limits.localMs,
      config: "none",
    },
    signal,
  );
  if (result.code !== 0) return result;
  await rm(join(gitDirectory, "objects", "info", "alternates"));
  return null;
}

async function furnish(path: string, mirror: Mirror, wanted: Wanted, attributes: string): Promise<void> {
  const origin = `[remote "origin"]\n\turl = ${JSON.stringify(wanted.cloneUrl)}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n`;
  const none = "0".repeat(wanted.tree.length);
  await mkdir(join(path, "objects", "info"), { recursive: true });
  await Promise.all([mkdir(join(path, "refs")), mkdir(join(path, "info"))]);
  await Promise.all([
    writeFile(join(path, "HEAD"), `${wanted.commit ?? none}\n`),
    writeFile(join(path, "config"), repositoryConfig(mirror.format, `\tbare = false\n${origin}`)),
    writeFile(join(path, "objects", "info", "alternates"), `${quotePath(mirror.objects)}\n`),
    ...(wanted.commit === null ? [] : [writeFile(join(path, "shallow"), `${wanted.commit}\n`)]),
    ...(attributes === "" ? [] : [writeFile(join(path, "info", "attributes"), attributes)]),
  ]);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
