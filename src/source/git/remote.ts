/** What a remote has: its refs, and which of them a person means. */
import { Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
import { lend, type Remote } from "./credential.ts";
import { explainGit } from "./problem.ts";
import { isAbbreviatedId, isCommitId, refNotFound, shortName } from "./ref.ts";
import { quote } from "./url.ts";

export interface RemoteRefs {
  /** Full name → commit id; annotated tags are already followed to their commit. */
  readonly refs: ReadonlyMap<string, string>;
  readonly head: string | null;
  /** The branch that HEAD names, `refs/heads/…`. */
  readonly headRef: string | null;
}

export interface ChosenCommit {
  readonly commit: string;
  readonly ref: string | null;
}

export async function listRemote(room: Room, remote: Remote, signal?: AbortSignal): Promise<RemoteRefs> {
  const { url } = remote;
  await using lent = await lend(room, remote);
  const call = {
    args: [...networkConfig, ...lent.args, "ls-remote", "--symref", "--quiet", "--end-of-options", url],
    cwd: room.directory,
    // No repository around the mirrors may lend its configuration.
    env: { GIT_CEILING_DIRECTORIES: room.directory, ...lent.env },
    limitMs: room.limits.networkMs,
    config: "person",
  } as const;
  const result = await room.git.run(call, signal);
  if (result.code !== 0) throw explainGit(result, quote(url), lent.name);
  const { stdout } = result;
  return parseRemote(stdout.toString("utf8"));
}

/** A host that accepts and then says nothing is given up, without waiting for the whole time limit. */
export const networkConfig = ["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"] as const;

export function parseRemote(text: string): RemoteRefs {
  const refs = new Map<string, string>();
  let head: string | null = null;
  let headRef: string | null = null;
  for (const line of text.split("\n")) {
    const [left = "", name = ""] = line.split("\t");
    if (name === "HEAD" && left.startsWith("ref: ")) headRef = left.slice("ref: ".length);
    else if (name === "HEAD") head = left;
    else if (name.endsWith("^{}")) refs.set(name.slice(0, -"^{}".length), left);
    else if (isCommitId(left)) refs.set(name, left);
  }
  return { refs, head, headRef };
}

/**
 * The commit that `ref` means: a full name, else a branch, else a tag (the order of `git clone --branch`), else a
 * commit id. @throws Problem ref_not_found
 */
export function chooseCommit(remote: RemoteRefs, ref: string | null, url: string): ChosenCommit {
  if (ref === null || ref === "HEAD") return chooseHead(remote, url);
  const candidates = ref.startsWith("refs/")
    ? [ref]
    : [`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/${ref}`];
  for (const name of candidates) {
    const commit = remote.refs.get(name);
    if (commit !== undefined) return { commit, ref: name };
  }
  if (isCommitId(ref)) return { commit: ref.toLowerCase(), ref: null };
  if (remote.refs.size === 0) throw noCommits(url);
  if (isAbbreviatedId(ref)) {
    const tips = new Set([...remote.refs.values()].filter((id) => id.startsWith(ref.toLowerCase())));
    const [tip] = tips;
    if (tip !== undefined && tips.size === 1) return { commit: tip, ref: null };
  }
  throw refNotFound(ref, quote(url), shortNames(remote));
}

function chooseHead(remote: RemoteRefs, url: string): ChosenCommit {
  if (remote.head !== null) return { commit: remote.head, ref: remote.headRef };
  if (remote.refs.size === 0) throw noCommits(url);
  const names = shortNames(remote).slice(0, 5);
  throw new Problem("ref_not_found", `The HEAD of ${quote(url)} names no branch that exists`, {
    remedy: `Say which ref to take, say ${names.join(" or ")}.`,
  });
}

function shortNames(remote: RemoteRefs): string[] {
  return [...remote.refs.keys()].filter((name) => /^refs\/(?:heads|tags)\//.test(name)).map(shortName);
}

function noCommits(url: string): Problem {
  return new Problem("ref_not_found", `The repository ${quote(url)} has no commits yet`, {
    remedy: "Push a first commit with a .shipinator.yaml.",
  });
}
