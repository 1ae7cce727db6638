/** Submodules of a checkout, where the file asks for them: each a repository of its own, under the same address rules. */
import { stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { mirrorName, type SourceSpec } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
import { checkUrl, isLocalAddress, isSameHost, quote, resolveSubmoduleUrl } from "../git/url.ts";
import { treeOfCommit } from "../mirror/commit-record.ts";
import { fetchCommit } from "../mirror/fetch.ts";
import { importCommit } from "../mirror/import-commit.ts";
import { formatOf, type Mirror, mirrorAt, openMirror } from "../mirror/mirror.ts";
import type { CheckedOut } from "../types.ts";
import { callIn } from "../worktree/repository.ts";
import { addressesIn, keepAddresses, keptAddresses } from "./submodule-addresses.ts";

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
    const { url = null, name = null, nested, head } = addresses.links.get(path) ?? {};
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
        : await fetchSubmodule(room, spec, depth, { path, name, commit, address }, signal);
    const done = await checkout({ ...inherited, ...from, submodules: true }, join(target, path), depth + 1);
    notes.push(
      `Submodule ${quote(path)} is at ${from.commit.slice(0, 12)} of ${from.cloneUrl}`,
      ...done.notes,
    );
  }
  return notes;
}

type Fetched = Omit<SourceSpec, "submodules"> & { readonly commit: string };

interface Link {
  readonly path: string;
  readonly name: string | null;
  readonly commit: string;
  readonly address: string | null;
}

/** Brings the commit into a mirror of the submodule's own. */
async function fetchSubmodule(
  room: Room,
  around: SourceSpec,
  depth: number,
  link: Link,
  signal?: AbortSignal,
): Promise<Fetched> {
  const { path, commit, address } = link;
  if (address === null)
    throw new Problem("source_refused", `The submodule ${quote(path)} has no address in .gitmodules`, {
      remedy: `Add one with \`git submodule add\`, or remove the entry with \`git rm --cached\`.`,
      place: path,
    });
  // Whoever pushes to a hosted repository must not read repositories of the server's machine through it.
  const allowLocal = room.urls.allowLocal && isLocalAddress(around.cloneUrl);
  if (isLocalAddress(address) && !allowLocal) {
    const initialized = await takeInitialized(room, around, depth, { ...link, address }, signal);
    if (initialized === null) throw refuseLocal(around, path, address);
    return initialized;
  }
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

/**
 * Takes the commit from the git directory that an initialised submodule has inside the repository around it. Who may
 * register a directory gives away what is in it; what .gitmodules names outside of it is in the hands of whoever
 * pushes, so that no address and no path of the working tree is followed. Null: there is no such submodule.
 */
async function takeInitialized(
  room: Room,
  around: SourceSpec,
  depth: number,
  { name, commit, address }: Link & { readonly address: string },
  signal?: AbortSignal,
): Promise<Fetched | null> {
  const mirrorOf = (directory: string) => `submodules/${mirrorName(directory, null)}`;
  // Deeper down, an address is a directory that this function found only if the mirror says so.
  const isFound = depth === 0 || around.repositoryId === mirrorOf(around.cloneUrl);
  if (!isAbsolute(around.cloneUrl) || !isFound || name === null || name.split("/").includes(".."))
    return null;
  const asked = callIn(room, around.cloneUrl, ["rev-parse", "--path-format=absolute", "--git-common-dir"]);
  const { code, stdout } = await room.git.run(asked, signal);
  const cloneUrl = join(stdout.toString("utf8").replace(/\n$/, ""), "modules", name);
  const objects = join(cloneUrl, "objects");
  if (code !== 0 || !(await stat(objects).catch(() => null))?.isDirectory()) return null;
  const repositoryId = mirrorOf(cloneUrl);
  const mirror = mirrorAt(room.directory, repositoryId, formatOf(commit));
  await openMirror(mirror, room.clock);
  const record = await importCommit(room, mirror, { objects }, commit, signal);
  if (record === null) return null;
  const { tree } = record;
  // Relative addresses in it count from where it came from.
  await keepAddresses(mirror, tree, { base: address, links: await addressesIn(room, mirror, tree, signal) });
  return { repositoryId, cloneUrl, credential: null, commit, tree };
}

function refuseLocal(around: SourceSpec, path: string, address: string): Problem {
  const fact = `The submodule ${quote(path)} of ${quote(around.cloneUrl)} is at ${quote(address)}, a path on the server's machine`;
  return isLocalAddress(around.cloneUrl)
    ? new Problem("source_refused", `${fact}, and its commit is not initialised in that repository`, {
        remedy: `Run \`git -c protocol.file.allow=always submodule update --init --recursive\` in the directory that is registered, or set git.allow_file_urls (SHIPINATOR_GIT_ALLOW_FILE_URLS=true) on the server.`,
        place: path,
      })
    : new Problem("source_refused", `${fact}, which a repository elsewhere cannot name`, {
        remedy: "Give it an https or ssh address in .gitmodules, or one relative to the repository's.",
        place: path,
      });
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
