/** Checks out submodules if the pipeline file asks for them. Each is its own repository, with the same address rules. */
import { stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { mirrorName, type SourceSpec } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { checkUrl, isLocalAddress, isSameHost, quote, resolveSubmoduleUrl } from "../git/url.ts";
import { treeOfCommit } from "../mirror/commit-record.ts";
import { fetchCommit } from "../mirror/fetch.ts";
import { importCommit } from "../mirror/import-commit.ts";
import { formatOf, type Mirror, mirrorAt, openMirror } from "../mirror/mirror.ts";
import type { CheckedOut } from "../types.ts";
import { callIn } from "../worktree/repository.ts";
import { addressesIn, saveAddresses, savedAddresses } from "./submodule-addresses.ts";

const maxDepth = 10;

/** `depth` counts the repositories around the one that is checked out. */
export type Checkout = (spec: SourceSpec, target: string, depth: number) => Promise<CheckedOut>;

/** Returns a note for each. The parents of a link are directories of the tree, so no path leads out of `target`. */
export async function checkoutSubmodules(
  deps: SourceDeps,
  mirror: Mirror,
  spec: SourceSpec,
  target: string,
  depth: number,
  checkout: Checkout,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const kept = await savedAddresses(mirror, spec.tree);
  const addresses = kept ?? {
    base: spec.cloneUrl,
    links: await addressesIn(deps, mirror, spec.tree, signal),
  };
  const inherited = { clone: spec.clone ?? null, lfs: spec.lfs ?? null };
  const notes: string[] = [];
  for (const [path, commit] of await listLinks(deps, mirror, spec.tree, signal)) {
    const { url = null, name = null, nested, head } = addresses.links.get(path) ?? {};
    if (nested) {
      notes.push(`${quote(path)} is a repository that git does not track; it is empty here`);
      continue;
    }
    if (depth >= maxDepth)
      throw new Problem(
        "source_refused",
        `Submodules are nested more than ${maxDepth} deep at ${quote(path)}.`,
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
        : await fetchSubmodule(deps, spec, depth, { path, name, commit, address }, signal);
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

/** Fetches the commit into the submodule's own mirror. */
async function fetchSubmodule(
  deps: SourceDeps,
  around: SourceSpec,
  depth: number,
  link: Link,
  signal?: AbortSignal,
): Promise<Fetched> {
  const { path, commit, address } = link;
  if (address === null)
    throw new Problem("source_refused", `The submodule ${quote(path)} has no address in .gitmodules.`, {
      remedy: `Add one with \`git submodule add\`, or remove the entry with \`git rm --cached\`.`,
      place: path,
    });
  // A hosted repository must not give access to repositories of the server's machine.
  const allowLocal = deps.urls.allowLocal && isLocalAddress(around.cloneUrl);
  if (isLocalAddress(address) && !allowLocal) {
    const initialized = await takeInitialized(deps, around, depth, { ...link, address }, signal);
    if (initialized === null) throw refuseLocal(around, path, address);
    return initialized;
  }
  const cloneUrl = checkUrl(address, { ...deps.urls, allowLocal });
  // Use the repository's credential only for submodules on the same host.
  const credential =
    around.credential != null && isSameHost(cloneUrl, around.cloneUrl) ? around.credential : null;
  const repositoryId = `submodules/${mirrorName(cloneUrl, credential)}`;
  const mirror = mirrorAt(deps.directory, repositoryId, formatOf(commit));
  await openMirror(mirror, deps.clock);
  const request = { url: cloneUrl, credential, commit, ref: null };
  const tree =
    (await treeOfCommit(mirror, commit)) ?? (await fetchCommit(deps, mirror, request, "known", signal)).tree;
  return { repositoryId, cloneUrl, credential, commit, tree };
}

/**
 * Imports the commit from the git directory of an initialised submodule inside the repository around it. Registering a
 * directory shares its contents. Everyone who pushes controls .gitmodules, so no address outside of the directory and no
 * path of the working tree is followed. Null if there is no such submodule.
 */
async function takeInitialized(
  deps: SourceDeps,
  around: SourceSpec,
  depth: number,
  { name, commit, address }: Link & { readonly address: string },
  signal?: AbortSignal,
): Promise<Fetched | null> {
  const mirrorOf = (directory: string) => `submodules/${mirrorName(directory, null)}`;
  // A nested address is a directory of this function only if the mirror's name confirms it.
  const isFound = depth === 0 || around.repositoryId === mirrorOf(around.cloneUrl);
  if (!isAbsolute(around.cloneUrl) || !isFound || name === null || name.split("/").includes(".."))
    return null;
  const asked = callIn(deps, around.cloneUrl, ["rev-parse", "--path-format=absolute", "--git-common-dir"]);
  const { code, stdout } = await deps.git.run(asked, signal);
  const cloneUrl = join(stdout.toString("utf8").replace(/\n$/, ""), "modules", name);
  const objects = join(cloneUrl, "objects");
  if (code !== 0 || !(await stat(objects).catch(() => null))?.isDirectory()) return null;
  const repositoryId = mirrorOf(cloneUrl);
  const mirror = mirrorAt(deps.directory, repositoryId, formatOf(commit));
  await openMirror(mirror, deps.clock);
  const record = await importCommit(deps, mirror, { objects }, commit, signal);
  if (record === null) return null;
  const { tree } = record;
  // Relative addresses refer to the submodule's own address.
  await saveAddresses(mirror, tree, {
    base: address,
    links: await addressesIn(deps, mirror, tree, signal),
  });
  return { repositoryId, cloneUrl, credential: null, commit, tree };
}

function refuseLocal(around: SourceSpec, path: string, address: string): Problem {
  const fact = `The submodule ${quote(path)} of ${quote(around.cloneUrl)} is at ${quote(address)}, a path on the server's machine`;
  return isLocalAddress(around.cloneUrl)
    ? new Problem("source_refused", `${fact}, and its commit is not initialised in that repository.`, {
        remedy: `Run \`git -c protocol.file.allow=always submodule update --init --recursive\` in the directory that is registered, or set git.allow_file_urls (SHIPINATOR_GIT_ALLOW_FILE_URLS=true) on the server.`,
        place: path,
      })
    : new Problem("source_refused", `${fact}, which a repository elsewhere cannot name.`, {
        remedy: "Give it an https or ssh address in .gitmodules, or one relative to the repository's.",
        place: path,
      });
}

/** Lists the commit of each submodule by path. */
async function listLinks(
  deps: SourceDeps,
  mirror: Mirror,
  tree: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const call = {
    args: ["ls-tree", "-r", "-z", tree],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await deps.git.expect(call, `the tree ${tree}`, signal);
  const links = new Map<string, string>();
  for (const record of stdout.toString("utf8").split("\0")) {
    const [, commit, path] = /^160000 commit (\S+)\t(.*)$/s.exec(record) ?? [];
    if (commit !== undefined && path !== undefined) links.set(path, commit);
  }
  return links;
}
