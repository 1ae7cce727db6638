/** Submodules of a checkout, where the file asks for them: each a repository of its own, under the same address rules. */
import { join } from "node:path";
import { mirrorName, type SourceSpec } from "../domain/index.ts";
import { Problem } from "../kernel/index.ts";
import { treeOfCommit } from "./commit-record.ts";
import { fetchCommit } from "./fetch.ts";
import { formatOf, type Mirror, mirrorAt, openMirror } from "./mirror.ts";
import type { Room } from "./room.ts";
import { addressesIn, keptAddresses } from "./submodule-addresses.ts";
import type { CheckedOut } from "./types.ts";
import { checkUrl, isLocalAddress, isSameHost, quote, resolveSubmoduleUrl } from "./url.ts";

const maxDepth = 10;

/** `depth` counts the repositories around the one that is checked out. */
export type Checkout = (spec: SourceSpec, target: string, depth: number) => Promise<CheckedOut>;

/** Answers a note for each. A gitlink's parents are real directories of the tree, so no path leads out of `target`. */
export async function checkoutSubmodules(
  room: Room,
  mirror: Mirror,
  spec: SourceSpec,
  target: string,
  depth: number,
  checkout: Checkout,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const kept = await keptAddresses(mirror, spec.tree);
  const addresses = kept ?? {
    base: spec.cloneUrl,
    links: await addressesIn(room, mirror, spec.tree, signal),
  };
  const inherited = { clone: spec.clone ?? null, lfs: spec.lfs ?? null };
  const notes: string[] = [];
  for (const [path, commit] of await listLinks(room, mirror, spec.tree, signal)) {
    const { url = null, nested, head } = addresses.links.get(path) ?? {};
    if (nested) {
      notes.push(`${quote(path)} is a repository that git does not track; it is empty here`);
      continue;
    }
    if (depth >= maxDepth)
      throw new Problem(
        "source_refused",
        `Submodules are nested more than ${maxDepth} deep at ${quote(path)}`,
      );
    const address = url === null ? null : resolveSubmoduleUrl(addresses.base, url);
    const taken = await treeOfCommit(mirror, commit);
    const from =
      taken !== null
        ? {
            repositoryId: spec.repositoryId,
            cloneUrl: address ?? join(spec.cloneUrl, path),
            credential: spec.credential ?? null,
            commit: head ?? commit,
            tree: taken,
          }
        : await fetchSubmodule(room, spec, { path, commit, address }, signal);
    const done = await checkout({ ...inherited, ...from, submodules: true }, join(target, path), depth + 1);
    notes.push(
      `Submodule ${quote(path)} is at ${from.commit.slice(0, 12)} of ${from.cloneUrl}`,
      ...done.notes,
    );
  }
  return notes;
}

type Fetched = Omit<SourceSpec, "submodules"> & { readonly commit: string };

/** Brings the commit into a mirror of the submodule's own. */
async function fetchSubmodule(
  room: Room,
  around: SourceSpec,
  {
    path,
    commit,
    address,
  }: { readonly path: string; readonly commit: string; readonly address: string | null },
  signal?: AbortSignal,
): Promise<Fetched> {
  if (address === null)
    throw new Problem("source_refused", `The submodule ${quote(path)} has no address in .gitmodules`, {
      remedy: `Add one with \`git submodule add\`, or remove the entry with \`git rm --cached\`.`,
      place: path,
    });
  // Whoever pushes to a hosted repository must not read repositories of the server's machine through it.
  const allowLocal = room.urls.allowLocal && isLocalAddress(around.cloneUrl);
  const cloneUrl = checkUrl(address, { ...room.urls, allowLocal });
  // What opens a repository opens those of its host that it names; other hosts do not get to see it.
  const credential =
    around.credential != null && isSameHost(cloneUrl, around.cloneUrl) ? around.credential : null;
  const repositoryId = `submodules/${mirrorName(cloneUrl, credential)}`;
  const mirror = mirrorAt(room.directory, repositoryId, formatOf(commit));
  await openMirror(mirror, room.clock);
  const request = { url: cloneUrl, credential, commit, ref: null };
  const tree =
    (await treeOfCommit(mirror, commit)) ?? (await fetchCommit(room, mirror, request, "known", signal)).tree;
  return { repositoryId, cloneUrl, credential, commit, tree };
}

/** Path → commit of each submodule. */
async function listLinks(
  room: Room,
  mirror: Mirror,
  tree: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const call = {
    args: ["ls-tree", "-r", "-z", tree],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await room.git.expect(call, `the tree ${tree}`, signal);
  const links = new Map<string, string>();
  for (const record of stdout.toString("utf8").split("\0")) {
    const [, commit, path] = /^160000 commit (\S+)\t(.*)$/s.exec(record) ?? [];
    if (commit !== undefined && path !== undefined) links.set(path, commit);
  }
  return links;
}
