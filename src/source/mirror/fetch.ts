/**
 * Fetches a commit with its history and tags from a remote into a mirror: first all of it, later only what is new. Each
 * fetch has its own git directory (refs, `shallow`, locks) over the mirror's objects, so that fetches of several processes
 * do not conflict.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { lend, type Remote } from "../git/credential.ts";
import { explainGit, looksCorrupt } from "../git/problem.ts";
import type { GitResult } from "../git/process.ts";
import { isCommitId, refNotFound } from "../git/ref.ts";
import { networkConfig } from "../git/remote.ts";
import { quote } from "../git/url.ts";
import {
  type CommitRecord,
  completeCommits,
  listTags,
  namesOfTags,
  peeledTags,
  publishCommit,
  tagsNamed,
} from "./commit-record.ts";
import { ingest, writesAside } from "./ingest.ts";
import { absent, type Mirror, privatePlace, repositoryConfig, unusable } from "./mirror.ts";

const tip = "refs/fetched/tip";
/** Digest for the tags of a remote whose refs were not listed. No digest of a list equals it. */
const unlisted = "unlisted";

export interface FetchRequest extends Remote {
  readonly commit: string;
  /** Full name of a ref with the commit at its tip, for servers that do not serve commits by id. */
  readonly ref: string | null;
  /** Digest of the remote's tags. */
  readonly seen?: string | null;
}

/** Result with the name of the credential that git used. */
type Fetched = GitResult & { readonly lent: string | null; readonly found: History };

/** Fetched history: the commits at which the remote's own history ends, the tags, and the commit if it was at the tip. */
interface History extends Pick<CommitRecord, "cuts" | "tags"> {
  readonly tip: { readonly commit: string; readonly tree: string } | null;
}

/**
 * Objects of the mirror that a fetch uses. `known`: it offers the mirror's commits, so that the remote sends only new
 * objects. `nothing`: it fetches all objects, because the mirror's are damaged.
 */
type Lends = "known" | "nothing";

/** Fetches, verifies and publishes a commit. Returns its record and id (for a tag's id, that of its commit). */
export async function fetchCommit(
  deps: SourceDeps,
  mirror: Mirror,
  request: FetchRequest,
  lends: Lends,
  signal?: AbortSignal,
): Promise<CommitRecord & { readonly commit: string }> {
  const fetched = await tryFetch(deps, mirror, request, lends, signal);
  if (fetched.code !== 0) {
    if (lends === "nothing" || !looksCorrupt(fetched.stderr))
      throw explainGit(fetched, quote(request.url), fetched.lent);
    deps.log.warn({ mirror: mirror.path }, "The mirror is damaged; the commit is fetched again.");
    return fetchCommit(deps, mirror, request, "nothing", signal);
  }
  const { tip: fetchedTip, ...history } = fetched.found;
  const found = fetchedTip ?? (await peel(deps, mirror, request.commit, signal));
  if (found === null) {
    if (lends === "known") return fetchCommit(deps, mirror, request, "nothing", signal);
    throw refNotFound(request.commit, quote(request.url), []);
  }
  const record = { tree: found.tree, ...history, seen: request.seen ?? unlisted };
  await publishCommit(mirror, found.commit, record).catch((error: unknown) => {
    throw unusable(mirror.path, error);
  });
  return { ...record, commit: found.commit };
}

async function peel(deps: SourceDeps, mirror: Mirror, id: string, signal?: AbortSignal) {
  const { stdout, code } = await deps.git.run(
    {
      args: ["rev-parse", "--quiet", `${id}^{commit}`, `${id}^{tree}`],
      cwd: mirror.path,
      env: { GIT_DIR: mirror.path },
      limitMs: deps.limits.localMs,
      config: "none",
    },
    signal,
  );
  const [commit, tree] = stdout.toString("latin1").trim().split("\n");
  return code === 0 && commit !== undefined && tree !== undefined ? { commit, tree } : null;
}

/** Tries from the cheapest to the most reliable way. Status 0 means that the objects exist. */
async function tryFetch(
  deps: SourceDeps,
  mirror: Mirror,
  request: FetchRequest,
  lends: Lends,
  signal?: AbortSignal,
): Promise<Fetched> {
  const byId = await fetchInto(deps, mirror, lends, request, [`+${request.commit}:${tip}`], signal);
  if (byId.code === 0) return byId;
  if (byId.code === 137 || !refusesIds(byId.stderr)) return byId;
  if (request.ref !== null) {
    const byRef = await fetchInto(deps, mirror, lends, request, [`+${request.ref}:${tip}`], signal);
    if (byRef.code === 0 && (await peel(deps, mirror, request.commit, signal)) !== null) return byRef;
  }
  const everything = ["+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/tags/*"];
  const whole = await fetchInto(deps, mirror, "nothing", request, everything, signal);
  if (whole.code !== 0) return whole;
  if ((await peel(deps, mirror, request.commit, signal)) === null)
    throw refNotFound(request.commit, quote(request.url), []);
  return whole;
}

/** True for servers that serve only advertised ids, do not know the id, or (plain files over http) cannot cut history. */
function refusesIds(stderr: string): boolean {
  return /not our ref|unadvertised object|upload-pack: not our|remote did not send|couldn't find remote ref|dumb http|shallow/i.test(
    stderr,
  );
}

async function fetchInto(
  deps: SourceDeps,
  mirror: Mirror,
  lends: Lends,
  remote: FetchRequest,
  refspecs: readonly string[],
  signal?: AbortSignal,
): Promise<Fetched> {
  await using lent = await lend(deps, remote);
  await using place = await privatePlace(mirror);
  const objects = join(place.path, "objects");
  const env = lends === "known" ? writesAside(objects, mirror) : { GIT_OBJECT_DIRECTORY: objects };
  await furnish(place.path, mirror, lends).catch((error: unknown) => {
    throw unusable(place.path, error);
  });
  const args = [
    ...networkConfig,
    ...lent.args,
    "-c",
    "fetch.unpackLimit=1",
    "-c",
    "core.fsync=-reference",
    "-c",
    "fetch.writeCommitGraph=false",
    "fetch",
    "--quiet",
    "--update-shallow",
    "--no-auto-maintenance",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--end-of-options",
    remote.url,
    ...refspecs,
  ];
  const at = { GIT_DIR: place.path, ...env };
  const limitMs = deps.limits.historyMs;
  const call = { args, cwd: place.path, env: { ...at, ...lent.env }, limitMs, config: "person" } as const;
  let result = await deps.git.run(call, signal);
  // git may miss tags of packed objects while it also gets loose ones. The second fetch sees them.
  if (result.code === 0 && (await packLoose(deps, place.path, at, signal)))
    result = await deps.git.run(call, signal);
  let found: History = { cuts: [], tags: [], tip: null };
  if (result.code === 0) {
    found = await readHistory(deps, place.path, at, remote.commit, signal);
    await packLoose(deps, place.path, at, signal);
    await ingest(objects, mirror);
  }
  return { ...result, lent: lent.name, found };
}

/**
 * Packs the loose objects from a host of plain files. Returns false if there are none. Checkouts for other accounts use
 * only packs (see borrow.ts).
 */
async function packLoose(
  deps: SourceDeps,
  place: string,
  env: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<boolean> {
  const names = await readdir(join(place, "objects"));
  if (!names.some((name) => /^[0-9a-f]{2}$/.test(name))) return false;
  const args = ["repack", "-d", "-l", "-q"];
  const call = { args, cwd: place, env, limitMs: deps.limits.localMs, config: "none" } as const;
  await deps.git.expect(call, "the fetched objects", signal);
  return true;
}

/** Reads the fetched history from the git directory of a fetch. */
async function readHistory(
  deps: SourceDeps,
  place: string,
  env: Readonly<Record<string, string>>,
  commit: string,
  signal?: AbortSignal,
): Promise<History> {
  const format = "%(objectname) %(*objectname) %(tree)%(*tree) %(refname)";
  const call = { cwd: place, env, limitMs: deps.limits.localMs, config: "none" } as const;
  const ask = async (args: readonly string[]) =>
    (await deps.git.run({ ...call, args }, signal)).stdout.toString("latin1");
  const [fetchedTip, tags, names, shallow] = await Promise.all([
    ask(["for-each-ref", `--format=${format}`, tip]),
    ask(listTags),
    ask(namesOfTags(commit)),
    readFile(join(place, "shallow"), "utf8").catch(absent),
  ]);
  const [, id, peeled, tree] = /^(\S+) (\S*) (\S+) refs\/fetched\/tip$/m.exec(fetchedTip) ?? [];
  const isAsked = id === commit && tree !== undefined && isCommitId(tree);
  return {
    cuts: (shallow ?? "").split("\n").filter(isCommitId),
    tags: tagsNamed(peeledTags(tags), names),
    tip: isAsked ? { commit: peeled === undefined || peeled === "" ? id : peeled, tree } : null,
  };
}

async function furnish(path: string, mirror: Mirror, lends: Lends): Promise<void> {
  const haves = lends === "known" ? await completeCommits(mirror) : [];
  await Promise.all([mkdir(join(path, "objects", "pack"), { recursive: true }), mkdir(join(path, "refs"))]);
  await Promise.all([
    writeFile(join(path, "HEAD"), "ref: refs/heads/none\n"),
    writeFile(join(path, "config"), repositoryConfig(mirror.format, "\tbare = true\n")),
    writeFile(join(path, "packed-refs"), haves.map((id) => `${id} refs/have/${id}\n`).join("")),
  ]);
}

/** Problem of a working copy's tree that is missing. It has no commit id, so it cannot be fetched. */
export function treeGone(tree: string): Problem {
  return new Problem(
    "source_unavailable",
    `The tree ${tree} of this run is no longer in the data directory.`,
    {
      remedy: "Start the run again from its directory.",
    },
  );
}
