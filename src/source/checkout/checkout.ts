/**
 * Writes a tree from the mirror into an empty directory by one git process. With a known commit the directory is a normal
 * clone (`git describe`, `git log` and `git merge-base` work) with the commit's history and tags and a detached HEAD. Its
 * objects are the mirror's (see borrow.ts) or copies. No personal configuration applies, so no filters run. Files of Git
 * LFS are filled in afterwards, if the pipeline file asks for them.
 */
import { access, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { SourceSpec } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { explainGit, looksCorrupt } from "../git/problem.ts";
import type { GitResult } from "../git/process.ts";
import { isCommitId } from "../git/ref.ts";
import { checkUrl, quote } from "../git/url.ts";
import { lfsOf } from "../lfs/lfs.ts";
import { type CommitRecord, packedRefs, recordOf, withdrawCommit } from "../mirror/commit-record.ts";
import { fetchCommit, treeGone } from "../mirror/fetch.ts";
import {
  formatOf,
  type Mirror,
  mirrorAt,
  openMirror,
  privatePlace,
  quotePath,
  repositoryConfig,
  setAside,
  unusable,
  verbatimAttributes,
} from "../mirror/mirror.ts";
import type { CheckedOut } from "../types.ts";
import { lendObjects, type Objects } from "./borrow.ts";
import { type Shown, showHistory } from "./depth.ts";
import { type Checkout, checkoutSubmodules } from "./submodules.ts";

export function checkout(
  deps: SourceDeps,
  spec: SourceSpec,
  target: string,
  objects: Objects,
  signal?: AbortSignal,
): Promise<CheckedOut> {
  return checkoutAt(deps, spec, { target, objects, depth: 0 }, signal);
}

interface Into {
  readonly target: string;
  readonly objects: Objects;
  /** Number of repositories around this one. */
  readonly depth: number;
}

async function checkoutAt(
  deps: SourceDeps,
  spec: SourceSpec,
  into: Into,
  signal?: AbortSignal,
): Promise<CheckedOut> {
  const { target, depth } = into;
  if (!isCommitId(spec.tree)) throw treeGone(spec.tree);
  const mirror = mirrorAt(deps.directory, spec.repositoryId, formatOf(spec.tree));
  await openMirror(mirror, deps.clock);
  await prepare(target);
  const cut = await checkoutTree(deps, mirror, spec, into, signal);
  const pointers = await lfsOf(deps, mirror, spec, target, signal);
  const notes = [...(cut ? [cutNote] : []), ...pointers];
  if (!spec.submodules)
    return {
      notes: (await exists(join(target, ".gitmodules"))) ? [...notes, submodulesNote] : notes,
    };
  const inner: Checkout = (submodule, path, below) =>
    checkoutAt(deps, submodule, { ...into, target: path, depth: below }, signal);
  const more = await checkoutSubmodules(deps, mirror, spec, target, depth, inner, signal);
  return { notes: [...notes, ...more] };
}

const submodulesNote =
  "The repository has submodules, which are not fetched (set `submodules: true` in the pipeline file)";
const cutNote =
  "The source repository is shallow or lacks old files, so the checkout has only part of the history";

async function prepare(target: string): Promise<void> {
  try {
    await mkdir(target, { recursive: true });
    if ((await readdir(target)).length === 0) return;
  } catch (error) {
    throw unusable(target, error);
  }
  throw new Problem("data_dir_unusable", `The directory ${quote(target)} for a checkout is not empty.`);
}

type Wanted = Pick<SourceSpec, "commit" | "tree" | "cloneUrl" | "credential" | "clone">;

/** Checks out the tree. Returns true if the repository itself lacks part of the commit's history. */
async function checkoutTree(
  deps: SourceDeps,
  mirror: Mirror,
  wanted: Wanted,
  { target, objects }: Into,
  signal?: AbortSignal,
): Promise<boolean> {
  const verbatim = await exists(join(mirror.path, "verbatim", wanted.tree));
  const known = wanted.commit === null ? null : await recordOf(mirror, wanted.commit);
  const record = known ?? (verbatim ? null : await refetch(deps, mirror, wanted, "known", signal));
  const first = { ...wanted, record, verbatim, objects };
  const failed = await populate(deps, mirror, first, target, signal);
  if (failed === null) return record !== null && record.cuts.length > 0;
  if (!looksCorrupt(failed.stderr) || /invalid path/i.test(failed.stderr)) throw refused(failed, wanted.tree);

  deps.log.warn({ mirror: mirror.path, tree: wanted.tree }, "The mirror is damaged.");
  if (verbatim) {
    await setAside(mirror);
    throw treeGone(wanted.tree);
  }
  if (wanted.commit !== null) await withdrawCommit(mirror, wanted.commit);
  const mended = await refetch(deps, mirror, wanted, "nothing", signal);
  for (const name of await readdir(target)) await rm(join(target, name), { recursive: true, force: true });
  const again = await populate(deps, mirror, { ...first, record: mended, verbatim: false }, target, signal);
  if (again !== null) throw refused(again, wanted.tree);
  return mended.cuts.length > 0;
}

async function refetch(
  deps: SourceDeps,
  mirror: Mirror,
  wanted: Wanted,
  lends: "known" | "nothing",
  signal?: AbortSignal,
): Promise<CommitRecord> {
  if (wanted.commit === null) throw treeGone(wanted.tree);
  const url = checkUrl(wanted.cloneUrl, deps.urls);
  const { commit, credential = null } = wanted;
  return await fetchCommit(deps, mirror, { url, credential, commit, ref: null }, lends, signal);
}

function refused(failed: GitResult, tree: string): Problem {
  const path = /invalid path '([^']*)'/i.exec(failed.stderr)?.[1];
  if (path === undefined) return explainGit(failed, `the tree ${tree}`);
  return new Problem(
    "source_refused",
    `The commit has a file ${quote(path)}, a name that could harm a repository.`,
    {
      remedy: "Remove the file from the repository.",
      place: path,
    },
  );
}

interface Populated extends Wanted {
  /** Null if the commit is unknown, so that there is no `.git`. */
  readonly record: CommitRecord | null;
  readonly verbatim: boolean;
  readonly objects: Objects;
}

/** Writes `.git`, whose attributes affect the files, then the files. Returns null, or the failed git call. */
async function populate(
  deps: SourceDeps,
  mirror: Mirror,
  wanted: Populated,
  target: string,
  signal?: AbortSignal,
): Promise<GitResult | null> {
  const gitDirectory = join(target, ".git");
  const { record, verbatim, tree, objects } = wanted;
  const commit = record === null ? null : wanted.commit;
  const shown =
    record === null || commit === null
      ? { cuts: [], tags: [] }
      : await showHistory(deps, mirror, commit, record, wanted.clone, signal);
  try {
    await furnish(gitDirectory, mirror, {
      ...wanted,
      commit,
      shown,
      attributes: verbatim ? verbatimAttributes : "",
    });
  } catch (error) {
    throw unusable(gitDirectory, error);
  }
  const call = {
    cwd: target,
    env: { GIT_DIR: gitDirectory, GIT_WORK_TREE: target },
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  const workers = String(Math.min(availableParallelism(), 8));
  const args = ["-c", `checkout.workers=${workers}`, "read-tree", "--reset", "-u", tree];
  const result = await deps.git.run({ ...call, args }, signal);
  if (result.code !== 0) return result;
  if (record === null || commit === null) {
    await rm(gitDirectory, { recursive: true });
    return null;
  }
  if (objects.kind === "copied") return await copyObjects(deps, gitDirectory, signal);
  if (objects.kind === "borrowed") return null;
  const own = verbatim && tree !== record.tree;
  const packed = own ? await packTree(deps, mirror, gitDirectory, { commit, tree }, signal) : null;
  if (packed !== null) return packed;
  const store = await lendObjects(objects, mirror, commit);
  await writeFile(alternatesOf(gitDirectory), `${quotePath(store)}\n`);
  return null;
}

const alternatesOf = (gitDirectory: string) => join(gitDirectory, "objects", "info", "alternates");

/** Packs uncommitted files, which are loose in the mirror, into the checkout. Returns null, or the failed git call. */
async function packTree(
  deps: SourceDeps,
  mirror: Mirror,
  gitDirectory: string,
  { commit, tree }: { readonly commit: string; readonly tree: string },
  signal?: AbortSignal,
): Promise<GitResult | null> {
  await using place = await privatePlace(mirror);
  const stdin = join(place.path, "revs");
  await writeFile(stdin, `--shallow ${commit}\n${tree}\n--not\n${commit}\n`);
  const packs = join(gitDirectory, "objects", "pack");
  await mkdir(packs, { recursive: true });
  const args = ["pack-objects", "--revs", "--quiet", "--non-empty", "--window=0", join(packs, "pack")];
  const env = { GIT_DIR: mirror.path };
  const call = {
    args,
    cwd: mirror.path,
    env,
    stdin,
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  const result = await deps.git.run(call, signal);
  return result.code === 0 ? null : result;
}

/** Copies all objects of the commit into a pack of the checkout. Returns null, or the failed git call. */
async function copyObjects(
  deps: SourceDeps,
  gitDirectory: string,
  signal?: AbortSignal,
): Promise<GitResult | null> {
  const result = await deps.git.run(
    {
      args: ["repack", "-a", "-d", "-q"],
      cwd: gitDirectory,
      env: { GIT_DIR: gitDirectory },
      limitMs: deps.limits.localMs,
      config: "none",
    },
    signal,
  );
  if (result.code !== 0) return result;
  await rm(alternatesOf(gitDirectory));
  return null;
}

interface Furnished extends Pick<SourceSpec, "cloneUrl" | "commit" | "tree"> {
  readonly shown: Shown;
  readonly attributes: string;
}

async function furnish(path: string, mirror: Mirror, wanted: Furnished): Promise<void> {
  const { shown, attributes } = wanted;
  const origin = `[remote "origin"]\n\turl = ${JSON.stringify(wanted.cloneUrl)}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n`;
  const none = "0".repeat(wanted.tree.length);
  await mkdir(join(path, "objects", "info"), { recursive: true });
  await Promise.all([mkdir(join(path, "refs")), mkdir(join(path, "info"))]);
  await Promise.all([
    writeFile(join(path, "HEAD"), `${wanted.commit ?? none}\n`),
    writeFile(join(path, "config"), repositoryConfig(mirror.format, `\tbare = false\n${origin}`)),
    writeFile(alternatesOf(path), `${quotePath(mirror.objects)}\n`),
    ...(shown.cuts.length === 0
      ? []
      : [writeFile(join(path, "shallow"), shown.cuts.map((id) => `${id}\n`).join(""))]),
    ...(shown.tags.length === 0 ? [] : [writeFile(join(path, "packed-refs"), packedRefs(shown.tags))]),
    ...(attributes === "" ? [] : [writeFile(join(path, "info", "attributes"), attributes)]),
  ]);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
