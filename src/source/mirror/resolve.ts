/** Resolves a ref to a commit and a tree in the mirror. */
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { checkRef, isCommitId, refParts, shortName } from "../git/ref.ts";
import { chooseCommit, listRemote, type RemoteRefs } from "../git/remote.ts";
import { checkUrl } from "../git/url.ts";
import type { ResolvedSource, ResolveRequest } from "../types.ts";
import { type CommitRecord, digestOf, recordOf } from "./commit-record.ts";
import { fetchCommit } from "./fetch.ts";
import { formatOf, mirrorAt, openMirror } from "./mirror.ts";

export async function resolveSource(
  deps: SourceDeps,
  request: ResolveRequest,
  signal?: AbortSignal,
): Promise<ResolvedSource> {
  const url = checkUrl(request.cloneUrl, deps.urls);
  const ref = request.ref === null ? null : checkRef(request.ref);
  const sha = request.sha === undefined ? undefined : checkId(request.sha);

  const { credential = null } = request;
  const remote = needsRemote(ref, sha) ? await listRemote(deps, { url, credential }, signal) : null;
  const chosen = sha === undefined ? choose(remote, ref, url) : { commit: sha, ref: labelOf(remote, ref) };
  const mirror = mirrorAt(deps.directory, request.repositoryId, formatOf(chosen.commit));
  await openMirror(mirror, deps.clock);
  const known = await recordOf(mirror, chosen.commit);
  const seen = remote === null ? null : digestOfTags(remote);
  const fetching = { url, credential, ...chosen, seen };
  const found =
    known !== null && isCurrent(known, chosen.ref, seen)
      ? { ...known, commit: chosen.commit }
      : await fetchCommit(deps, mirror, fetching, "known", signal).catch((error: unknown) => {
          // The commit exists without its history, which could not be fetched.
          if (known === null || known.seen !== null || isTag(chosen.ref)) throw error;
          deps.log.warn(
            { mirror: mirror.path, commit: chosen.commit },
            "The history of a commit could not be fetched.",
          );
          return { ...known, commit: chosen.commit };
        });
  const defaultBranch = remote?.headRef ?? null;
  return {
    commit: found.commit,
    tree: found.tree,
    cut: found.cuts.length > 0,
    ...refParts(chosen.ref),
    defaultBranch: defaultBranch === null ? null : shortName(defaultBranch),
  };
}

/** False if the commit has no history yet, or tags were made or moved since. */
function isCurrent(known: CommitRecord, ref: string | null, seen: string | null): boolean {
  if (seen !== null) return known.seen === seen;
  const asked = Buffer.from(ref ?? "").toString("latin1");
  return known.seen !== null && (!isTag(ref) || known.tags.some(({ name }) => name === asked));
}

const isTag = (ref: string | null): boolean => ref?.startsWith("refs/tags/") === true;

function digestOfTags({ refs }: RemoteRefs): string {
  const tags = [...refs].filter(([name]) => isTag(name)).map(([name, commit]) => `${commit} ${name}\n`);
  return digestOf(tags.join(""));
}

/** A known commit with a full ref name, or with none, does not need the remote's refs. */
function needsRemote(ref: string | null, sha: string | undefined): boolean {
  return sha === undefined || (ref !== null && !ref.startsWith("refs/"));
}

function choose(remote: RemoteRefs | null, ref: string | null, url: string) {
  return chooseCommit(remote ?? { refs: new Map(), head: null, headRef: null }, ref, url);
}

/** Full name of the ref of a known commit. Null if the branch or tag no longer exists. */
function labelOf(remote: RemoteRefs | null, ref: string | null): string | null {
  if (ref === null || ref.startsWith("refs/")) return ref;
  return [`refs/heads/${ref}`, `refs/tags/${ref}`].find((name) => remote?.refs.has(name)) ?? null;
}

function checkId(sha: string): string {
  if (isCommitId(sha)) return sha.toLowerCase();
  throw new Problem("source_refused", "The commit id is not 40 or 64 hex digits.", {
    remedy: "Give the whole id, as `git rev-parse REF` prints it.",
  });
}
