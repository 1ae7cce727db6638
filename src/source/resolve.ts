/** ref → commit → tree, by way of the mirror. */

import { Problem } from "../kernel/index.ts";
import { fetchCommit } from "./fetch.ts";
import { formatOf, mirrorAt, openMirror, treeOfCommit } from "./mirror.ts";
import { checkRef, isCommitId, refParts, shortName } from "./ref.ts";
import { chooseCommit, listRemote, type RemoteRefs } from "./remote.ts";
import type { Room } from "./room.ts";
import type { ResolvedSource, ResolveRequest } from "./types.ts";
import { checkUrl } from "./url.ts";

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
  const known = await treeOfCommit(mirror, chosen.commit);
  const found =
    known === null
      ? await fetchCommit(room, mirror, { url, credential, ...chosen }, "known", signal)
      : { commit: chosen.commit, tree: known };
  const defaultBranch = remote?.headRef ?? null;
  return {
    ...found,
    ...refParts(chosen.ref),
    defaultBranch: defaultBranch === null ? null : shortName(defaultBranch),
  };
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
