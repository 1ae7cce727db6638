/** Refs of a remote, and the commit that a ref of a request means. */
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { lend, type Remote } from "./credential.ts";
import { explainGit } from "./problem.ts";
import { isAbbreviatedId, isCommitId, refNotFound, shortName } from "./ref.ts";
import { quote } from "./url.ts";

export interface RemoteRefs {
  /** Commit ids by full name. Annotated tags are resolved to their commit. */
  readonly refs: ReadonlyMap<string, string>;
  readonly head: string | null;
  /** Branch of HEAD, `refs/heads/…`. */
  readonly headRef: string | null;
}

export interface ChosenCommit {
  readonly commit: string;
  readonly ref: string | null;
}

export async function listRemote(
  deps: SourceDeps,
  remote: Remote,
  signal?: AbortSignal,
): Promise<RemoteRefs> {
  const { url } = remote;
  await using lent = await lend(deps, remote);
  const call = {
    args: [...networkConfig, ...lent.args, "ls-remote", "--symref", "--quiet", "--end-of-options", url],
    cwd: deps.directory,
    // A repository around the mirrors must not affect the configuration.
    env: { GIT_CEILING_DIRECTORIES: deps.directory, ...lent.env },
    limitMs: deps.limits.networkMs,
    config: "person",
  } as const;
  const result = await deps.git.run(call, signal);
  if (result.code !== 0) throw explainGit(result, quote(url), lent.name);
  const { stdout } = result;
  return parseRemote(stdout.toString("utf8"));
}

/** Gives up a silent host before the whole time limit. */
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
 * Chooses the commit of `ref`: a full name, else a branch, else a tag (the order of `git clone --branch`), else a commit
 * id. @throws Problem ref_not_found
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
  throw new Problem("ref_not_found", `The HEAD of ${quote(url)} names no branch that exists.`, {
    remedy: `Give a ref, such as ${names.join(" or ")}.`,
  });
}

function shortNames(remote: RemoteRefs): string[] {
  return [...remote.refs.keys()].filter((name) => /^refs\/(?:heads|tags)\//.test(name)).map(shortName);
}

function noCommits(url: string): Problem {
  return new Problem("ref_not_found", `The repository ${quote(url)} has no commits yet.`, {
    remedy: "Push a first commit with a .shipinator.yaml.",
  });
}
