/**
 * Addresses of a tree's submodules. The tree of a working copy lacks some: a relative address refers to the remote of its
 * repository, and .gitmodules is at the repository's root, perhaps outside of the working copy. So a snapshot stores the
 * addresses in the mirror, by tree id.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceDeps } from "../deps.ts";
import { absent, type Mirror, unusable, writeAside } from "../mirror/mirror.ts";
import { callIn, type Location } from "../worktree/repository.ts";

export interface SubmoduleAddress {
  /** Text in .gitmodules, perhaps relative. Null if absent. */
  readonly url: string | null;
  /** Name in .gitmodules, which is also the name of the submodule's repository. */
  readonly name?: string;
  /** Nested repository that git does not track. It stays empty. */
  readonly nested?: true;
  /** Commit of the submodule's HEAD, if its link is a commit of uncommitted changes. */
  readonly head?: string;
}

export interface SubmoduleAddresses {
  /** Base of relative addresses. */
  readonly base: string;
  /** Submodules by path from the tree's root. */
  readonly links: ReadonlyMap<string, SubmoduleAddress>;
}

const fileOf = (mirror: Mirror, tree: string) => join(mirror.path, "addresses", tree);

export async function saveAddresses(mirror: Mirror, tree: string, kept: SubmoduleAddresses): Promise<void> {
  const text = JSON.stringify({ base: kept.base, links: [...kept.links] });
  await writeAside(fileOf(mirror, tree), text).catch((error: unknown) => {
    throw unusable(mirror.path, error);
  });
}

/** Reads the stored addresses. Null for a tree of a commit, whose .gitmodules is enough. */
export async function savedAddresses(mirror: Mirror, tree: string): Promise<SubmoduleAddresses | null> {
  const text = await readFile(fileOf(mirror, tree), "utf8").catch(absent);
  if (text === null) return null;
  const { base, links } = JSON.parse(text);
  return { base, links: new Map(links) };
}

const pathsAndUrls = ["--get-regexp", "^submodule\\..*\\.(path|url)$"];

/** Reads .gitmodules of a tree or commit in the mirror. */
export async function addressesIn(
  deps: SourceDeps,
  mirror: Mirror,
  id: string,
  signal?: AbortSignal,
): Promise<SubmoduleAddresses["links"]> {
  const call = {
    args: ["config", "-z", "--blob", `${id}:.gitmodules`, ...pathsAndUrls],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  return parseAddresses((await deps.git.run(call, signal)).stdout);
}

/** Reads .gitmodules at the root of a working copy's repository, from the disk. */
export async function addressesOnDisk(
  deps: SourceDeps,
  top: string,
  signal?: AbortSignal,
): Promise<SubmoduleAddresses["links"]> {
  const args = ["config", "-z", "-f", join(top, ".gitmodules"), ...pathsAndUrls];
  return parseAddresses((await deps.git.run(callIn(deps, top, args), signal)).stdout);
}

function parseAddresses(output: Buffer): SubmoduleAddresses["links"] {
  const byName = new Map<string, { path?: string; url?: string }>();
  for (const record of output.toString("utf8").split("\0")) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(record) ?? [];
    if (name === undefined || value === undefined) continue;
    const entry = byName.get(name) ?? {};
    if (key === "path") entry.path = value;
    else entry.url = value;
    byName.set(name, entry);
  }
  return new Map(
    [...byName].flatMap(([name, { path, url }]) =>
      path === undefined || url === undefined ? [] : [[path, { url, name }] as const],
    ),
  );
}

/** Selects the submodules inside a directory, by path from there. */
export function addressesBelow(
  links: SubmoduleAddresses["links"],
  { prefix }: Pick<Location, "prefix">,
): SubmoduleAddresses["links"] {
  if (prefix === "") return links;
  const inside = [...links].filter(([path]) => path.startsWith(`${prefix}/`));
  return new Map(inside.map(([path, address]) => [path.slice(prefix.length + 1), address]));
}

/** Root of the repository around `directory`. */
export function topOf(directory: string, { prefix }: Pick<Location, "prefix">): string {
  return prefix === "" ? directory : directory.slice(0, -prefix.length - 1) || "/";
}

/**
 * Chooses the remote of a repository like git: that of the branch, `origin`, or the only one; without a remote, the
 * repository itself. Removes a password from the address, because addresses are shown.
 */
export async function remoteOf(
  deps: SourceDeps,
  top: string,
  branch: string | null,
  signal?: AbortSignal,
): Promise<string> {
  const args = ["config", "-z", "--get-regexp", "^(remote\\..*\\.url|branch\\..*\\.remote)$"];
  const { stdout } = await deps.git.run(callIn(deps, top, args), signal);
  const values = new Map<string, string>();
  for (const record of stdout.toString("utf8").split("\0")) {
    const cut = record.indexOf("\n");
    const key = record.slice(0, cut);
    if (cut > 0 && !values.has(key)) values.set(key, record.slice(cut + 1));
  }
  const remotes = [...values].filter(([key]) => key.startsWith("remote."));
  const only = remotes.length === 1 ? remotes[0]?.[1] : undefined;
  const named = values.get(`branch.${branch}.remote`) ?? "origin";
  const url = values.get(`remote.${named}.url`) ?? only ?? top;
  return /^\.\.?\//.test(url) ? join(top, url) : url.replace(/^(https?:\/\/)[^/]*@/i, "$1");
}
