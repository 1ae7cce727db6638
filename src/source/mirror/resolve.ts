/** ref → commit → tree, by way of the mirror. */

import { Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
import { checkRef, isCommitId, refParts, shortName } from "../git/ref.ts";
import { chooseCommit, listRemote, type RemoteRefs } from "../git/remote.ts";
import { checkUrl } from "../git/url.ts";
import type { ResolvedSource, ResolveRequest } from "../types.ts";
import { type CommitRecord, digestOf, recordOf } from "./commit-record.ts";
import { fetchCommit } from "./fetch.ts";
import { formatOf, mirrorAt, openMirror } from "./mirror.ts";

export async function resolveSource(
  room: Room,
  request: ResolveRequest,
  signal?: AbortSignal,
): Promise<ResolvedSource> {
  const url = checkUrl(request.cloneUrl, room.urls);
  const ref = request.ref === null ? null : checkRef(request.ref);
  const sha = request.sha === undefined ? undefined : checkId(request.sha);

  const { credential = null } = request;
  const remote = needsRemote(ref, sha) ? await listRemote(room, { url, credential }, signal) : null;
  const chosen = sha === undefined ? choose(remote, ref, url) : { commit: sha, ref: labelOf(remote, ref) };
  const mirror = mirrorAt(room.directory, request.repositoryId, formatOf(chosen.commit));
  await openMirror(mirror, room.clock);
  const known = await recordOf(mirror, chosen.commit);
  const seen = remote === null ? null : digestOfTags(remote);
  const fetching = { url, credential, ...chosen, seen };
  const found =
    known !== null && isCurrent(known, chosen.ref, seen)
      ? { ...known, commit: chosen.commit }
      : await fetchCommit(room, mirror, fetching, "known", signal).catch((error: unknown) => {
          // Its history is wanted, but the commit itself is there.
          if (known === null || known.seen !== null || isTag(chosen.ref)) throw error;
          room.log.warn({ mirror: mirror.path, commit: chosen.commit }, "the history was not fetched");
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

/** False where the commit came without its history, or tags have been made or moved since. */
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

/** A known commit under a full name, or under none, needs no look at the remote's refs. */
function needsRemote(ref: string | null, sha: string | undefined): boolean {
  return sha === undefined || (ref !== null && !ref.startsWith("refs/"));
}

function choose(remote: RemoteRefs | null, ref: string | null, url: string) {
  return chooseCommit(remote ?? { refs: new Map(), head: null, headRef: null }, ref, url);
}

/** The label of a known commit: the branch or tag may be gone by now, and that is no error. */
function labelOf(remote: RemoteRefs | null, ref: string | null): string | null {
  if (ref === null || ref.startsWith("refs/")) return ref;
  return [`refs/heads/${ref}`, `refs/tags/${ref}`].find((name) => remote?.refs.has(name)) ?? null;
}

function checkId(sha: string): string {
  if (isCommitId(sha)) return sha.toLowerCase();
  throw new Problem("source_refused", "The commit id is not 40 or 64 hex digits", {
    remedy: "Give the whole id, as `git rev-parse REF` prints it.",
  });
}
