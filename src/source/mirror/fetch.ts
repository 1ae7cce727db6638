/**
 * Brings a commit with its history and the tags that point into it from a remote into a mirror: the first time all of it,
 * later what is new since the commits that are there. Each fetch has a git directory of its own (refs, `shallow`, locks)
 * over the mirror's objects, so that fetches of several processes cannot meet.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
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
import { absent, type Mirror, privatePlace, repositoryConfig, unusable } from "./mirror.ts";
import { takeOver, writesAside } from "./take-over.ts";

const tip = "refs/fetched/tip";
/** Stands for the tags of a remote whose refs nobody has listed: no digest of a list equals it. */
const unlisted = "unlisted";

export interface FetchRequest extends Remote {
  readonly commit: string;
  /** Full name of a ref that has the commit at its tip, for servers that give no commit by id. */
  readonly ref: string | null;
  /** Digest of the tags that the remote was seen to have. */
  readonly seen?: string | null;
}

/** With the name of the credential that git was given. */
type Fetched = GitResult & { readonly lent: string | null; readonly found: History };

/** What came: the commits at which the remote's own history ends, the tags, and the commit if it was at the tip. */
interface History extends Pick<CommitRecord, "cuts" | "tags"> {
  readonly tip: { readonly commit: string; readonly tree: string } | null;
}

/**
 * What the mirror lends to a fetch: `known`, its commits are offered so that the remote sends only what is new;
 * `nothing`, the objects come whole and aside, because the mirror's were found damaged.
 */
type Lends = "known" | "nothing";

/** Fetches, proves and publishes the commit; gives its id (a tag's id gives its commit) and record. */
export async function fetchCommit(
  room: Room,
  mirror: Mirror,
  request: FetchRequest,
  lends: Lends,
  signal?: AbortSignal,
): Promise<CommitRecord & { readonly commit: string }> {
  const fetched = await tryFetch(room, mirror, request, lends, signal);
  if (fetched.code !== 0) {
    if (lends === "nothing" || !looksCorrupt(fetched.stderr))
      throw explainGit(fetched, quote(request.url), fetched.lent);
    room.log.warn({ mirror: mirror.path }, "the mirror is damaged; the commit is fetched anew");
    return fetchCommit(room, mirror, request, "nothing", signal);
  }
  const { tip: fetchedTip, ...history } = fetched.found;
  const found = fetchedTip ?? (await peel(room, mirror, request.commit, signal));
  if (found === null) {
    if (lends === "known") return fetchCommit(room, mirror, request, "nothing", signal);
    throw refNotFound(request.commit, quote(request.url), []);
  }
  const record = { tree: found.tree, ...history, seen: request.seen ?? unlisted };
  await publishCommit(mirror, found.commit, record).catch((error: unknown) => {
    throw unusable(mirror.path, error);
  });
  return { ...record, commit: found.commit };
}

async function peel(room: Room, mirror: Mirror, id: string, signal?: AbortSignal) {
  const { stdout, code } = await room.git.run(
    {
      args: ["rev-parse", "--quiet", `${id}^{commit}`, `${id}^{tree}`],
      cwd: mirror.path,
      env: { GIT_DIR: mirror.path },
      limitMs: room.limits.localMs,
      config: "none",
    },
    signal,
  );
  const [commit, tree] = stdout.toString("latin1").trim().split("\n");
  return code === 0 && commit !== undefined && tree !== undefined ? { commit, tree } : null;
}

/** From the cheapest way to the surest. Status 0: the objects are here. */
async function tryFetch(
  room: Room,
  mirror: Mirror,
  request: FetchRequest,
  lends: Lends,
  signal?: AbortSignal,
): Promise<Fetched> {
  const byId = await fetchInto(room, mirror, lends, request, [`+${request.commit}:${tip}`], signal);
  if (byId.code === 0) return byId;
  if (byId.code === 137 || !refusesIds(byId.stderr)) return byId;
  if (request.ref !== null) {
    const byRef = await fetchInto(room, mirror, lends, request, [`+${request.ref}:${tip}`], signal);
    if (byRef.code === 0 && (await peel(room, mirror, request.commit, signal)) !== null) return byRef;
  }
  const everything = ["+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/tags/*"];
  const whole = await fetchInto(room, mirror, "nothing", request, everything, signal);
  if (whole.code !== 0) return whole;
  if ((await peel(room, mirror, request.commit, signal)) === null)
    throw refNotFound(request.commit, quote(request.url), []);
  return whole;
}

/** Servers that give only what they advertise, do not know the id, or (plain files over http) cannot cut history. */
function refusesIds(stderr: string): boolean {
  return /not our ref|unadvertised object|upload-pack: not our|remote did not send|couldn't find remote ref|dumb http|shallow/i.test(
    stderr,
  );
}

async function fetchInto(
  room: Room,
  mirror: Mirror,
  lends: Lends,
  remote: FetchRequest,
  refspecs: readonly string[],
  signal?: AbortSignal,
): Promise<Fetched> {
  await using lent = await lend(room, remote);
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
  const limitMs = room.limits.historyMs;
  const call = { args, cwd: place.path, env: { ...at, ...lent.env }, limitMs, config: "person" } as const;
  let result = await room.git.run(call, signal);
  // git may have overlooked tags of what came in packs while it also got single objects: the second time it sees them.
  if (result.code === 0 && (await packLoose(room, place.path, at, signal)))
    result = await room.git.run(call, signal);
  let found: History = { cuts: [], tags: [], tip: null };
  if (result.code === 0) {
    found = await readHistory(room, place.path, at, remote.commit, signal);
    await packLoose(room, place.path, at, signal);
    await takeOver(objects, mirror);
  }
  return { ...result, lent: lent.name, found };
}

/**
 * Packs the single objects that a host of plain files gives; false where there are none. Checkouts for other accounts
 * are lent packs alone (see borrow.ts).
 */
async function packLoose(
  room: Room,
  place: string,
  env: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<boolean> {
  const names = await readdir(join(place, "objects"));
  if (!names.some((name) => /^[0-9a-f]{2}$/.test(name))) return false;
  const args = ["repack", "-d", "-l", "-q"];
  const call = { args, cwd: place, env, limitMs: room.limits.localMs, config: "none" } as const;
  await room.git.expect(call, "the objects that came", signal);
  return true;
}

/** What git has noted in the place of a fetch. */
async function readHistory(
  room: Room,
  place: string,
  env: Readonly<Record<string, string>>,
  commit: string,
  signal?: AbortSignal,
): Promise<History> {
  const format = "%(objectname) %(*objectname) %(tree)%(*tree) %(refname)";
  const call = { cwd: place, env, limitMs: room.limits.localMs, config: "none" } as const;
  const ask = async (args: readonly string[]) =>
    (await room.git.run({ ...call, args }, signal)).stdout.toString("latin1");
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

/** For a SourceSpec whose commit has to be fetched but has no commit id: a working directory's tree. */
export function treeGone(tree: string): Problem {
  return new Problem(
    "source_unavailable",
    `The tree ${tree} of this run is not in the data directory any more`,
    {
      remedy: "Start the run again from its directory.",
    },
  );
}
