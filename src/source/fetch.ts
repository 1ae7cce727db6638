/**
 * Brings one commit from a remote into a mirror. Each fetch has a git directory of its own (refs, `shallow`, locks)
 * over the mirror's objects, so that fetches of several processes cannot meet.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../kernel/index.ts";
import { lend, type Remote } from "./credential.ts";
import { explainGit, looksCorrupt } from "./git-problem.ts";
import type { GitResult } from "./git-process.ts";
import {
  type Mirror,
  privatePlace,
  publishCommit,
  recentCommits,
  repositoryConfig,
  unusable,
} from "./mirror.ts";
import { refNotFound } from "./ref.ts";
import { networkConfig } from "./remote.ts";
import type { Room } from "./room.ts";
import { takeOver, writesAside } from "./take-over.ts";
import { quote } from "./url.ts";

export interface FetchRequest extends Remote {
  readonly commit: string;
  /** Full name of a ref that has the commit at its tip, for servers that give no commit by id. */
  readonly ref: string | null;
}

/** With the name of the credential that git was given. */
type Fetched = GitResult & { readonly lent: string | null };

/**
 * What the mirror lends to a fetch: `known`, its commits are offered so that the remote sends only what is new;
 * `nothing`, the objects come whole and aside, because the mirror's were found damaged.
 */
type Lends = "known" | "nothing";

/** Fetches, proves and publishes the commit; answers its id (a tag's id gives its commit) and tree. */
export async function fetchCommit(
  room: Room,
  mirror: Mirror,
  request: FetchRequest,
  lends: Lends,
  signal?: AbortSignal,
): Promise<{ commit: string; tree: string }> {
  const failed = await tryFetch(room, mirror, request, lends, signal);
  if (failed !== null) {
    if (lends === "nothing" || !looksCorrupt(failed.stderr))
      throw explainGit(failed, quote(request.url), failed.lent);
    room.log.warn({ mirror: mirror.path }, "the mirror is damaged; the commit is fetched anew");
    return fetchCommit(room, mirror, request, "nothing", signal);
  }
  const found = await peel(room, mirror, request.commit, signal);
  if (found === null) {
    if (lends === "known") return fetchCommit(room, mirror, request, "nothing", signal);
    throw refNotFound(request.commit, quote(request.url), []);
  }
  await publishCommit(mirror, found.commit, found.tree).catch((error: unknown) => {
    throw unusable(mirror.path, error);
  });
  return found;
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

/** From the cheapest way to the surest. Null: the objects are here. */
async function tryFetch(
  room: Room,
  mirror: Mirror,
  request: FetchRequest,
  lends: Lends,
  signal?: AbortSignal,
): Promise<Fetched | null> {
  const byId = await fetchInto(room, mirror, lends, ["--depth=1"], request, [request.commit], signal);
  if (byId.code === 0) return null;
  if (byId.code === 137 || !refusesIds(byId.stderr)) return byId;
  if (request.ref !== null) {
    const refspec = `+${request.ref}:refs/fetched/tip`;
    const byRef = await fetchInto(room, mirror, lends, ["--depth=1"], request, [refspec], signal);
    if (byRef.code === 0 && (await peel(room, mirror, request.commit, signal)) !== null) return null;
  }
  const everything = ["+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*"];
  const whole = await fetchInto(room, mirror, "nothing", [], request, everything, signal);
  if (whole.code !== 0) return whole;
  if ((await peel(room, mirror, request.commit, signal)) === null)
    throw refNotFound(request.commit, quote(request.url), []);
  return null;
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
  options: readonly string[],
  remote: Remote,
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
  const result = await room.git.run(
    {
      args: [
        ...networkConfig,
        ...lent.args,
        "-c",
        "fetch.unpackLimit=1",
        "-c",
        "fetch.writeCommitGraph=false",
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-auto-maintenance",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        ...options,
        "--end-of-options",
        remote.url,
        ...refspecs,
      ],
      cwd: place.path,
      env: { GIT_DIR: place.path, ...env, ...lent.env },
      limitMs: room.limits.networkMs,
      config: "person",
    },
    signal,
  );
  if (result.code === 0) await takeOver(objects, mirror);
  return { ...result, lent: lent.name };
}

async function furnish(path: string, mirror: Mirror, lends: Lends): Promise<void> {
  const haves = lends === "known" ? await recentCommits(mirror) : [];
  await Promise.all([mkdir(join(path, "objects", "pack"), { recursive: true }), mkdir(join(path, "refs"))]);
  await Promise.all([
    writeFile(join(path, "HEAD"), "ref: refs/heads/none\n"),
    writeFile(join(path, "config"), repositoryConfig(mirror.format, "\tbare = true\n")),
    writeFile(join(path, "packed-refs"), haves.map((id) => `${id} refs/have/${id}\n`).join("")),
    ...(haves.length > 0 ? [writeFile(join(path, "shallow"), `${haves.join("\n")}\n`)] : []),
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
