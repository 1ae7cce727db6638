/**
 * Addresses of a tree's submodules. A tree that was taken from a person's directory does not have all of them: a
 * relative address counts from the remote of the person's repository, and .gitmodules lies at its root, outside of a
 * directory that is run by itself. So a snapshot keeps the addresses in the mirror, by the tree's id.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Room } from "../deps.ts";
import { absent, type Mirror, unusable, writeAside } from "../mirror/mirror.ts";
import { callIn, type Location } from "../worktree/repository.ts";

export interface SubmoduleAddress {
  /** The text in .gitmodules, perhaps relative; null if it has none. */
  readonly url: string | null;
  /** The name in .gitmodules, by which git keeps the submodule's repository. */
  readonly name?: string;
  /** A repository inside that git does not track: it stays empty. */
  readonly nested?: true;
  /** The commit that the submodule's HEAD was at, where its link is a commit that holds uncommitted changes. */
  readonly head?: string;
}

export interface SubmoduleAddresses {
  /** The address that relative ones count from. */
  readonly base: string;
  /** By path from the tree's root. */
  readonly links: ReadonlyMap<string, SubmoduleAddress>;
}

const fileOf = (mirror: Mirror, tree: string) => join(mirror.path, "addresses", tree);

export async function keepAddresses(mirror: Mirror, tree: string, kept: SubmoduleAddresses): Promise<void> {
  const text = JSON.stringify({ base: kept.base, links: [...kept.links] });
  await writeAside(fileOf(mirror, tree), text).catch((error: unknown) => {
    throw unusable(mirror.path, error);
  });
}

/** Reads them. Null: no snapshot made the tree, and the .gitmodules in it is enough. */
export async function keptAddresses(mirror: Mirror, tree: string): Promise<SubmoduleAddresses | null> {
  const text = await readFile(fileOf(mirror, tree), "utf8").catch(absent);
  if (text === null) return null;
  const { base, links } = JSON.parse(text);
  return { base, links: new Map(links) };
}

const pathsAndUrls = ["--get-regexp", "^submodule\\..*\\.(path|url)$"];

/** Reads .gitmodules of a tree or commit in the mirror. */
export async function addressesIn(
  room: Room,
  mirror: Mirror,
  id: string,
  signal?: AbortSignal,
): Promise<SubmoduleAddresses["links"]> {
  const call = {
    args: ["config", "-z", "--blob", `${id}:.gitmodules`, ...pathsAndUrls],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  return parseAddresses((await room.git.run(call, signal)).stdout);
}

/** Reads .gitmodules at the root of a person's repository, from the disk. */
export async function addressesOnDisk(
  room: Room,
  top: string,
  signal?: AbortSignal,
): Promise<SubmoduleAddresses["links"]> {
  const args = ["config", "-z", "-f", join(top, ".gitmodules"), ...pathsAndUrls];
  return parseAddresses((await room.git.run(callIn(room, top, args), signal)).stdout);
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

/** Keeps the submodules inside a directory, by their path from there. */
export function addressesBelow(
  links: SubmoduleAddresses["links"],
  { prefix }: Pick<Location, "prefix">,
): SubmoduleAddresses["links"] {
  if (prefix === "") return links;
  const inside = [...links].filter(([path]) => path.startsWith(`${prefix}/`));
  return new Map(inside.map(([path, address]) => [path.slice(prefix.length + 1), address]));
}

/** The root of the repository that `directory` is in. */
export function topOf(directory: string, { prefix }: Pick<Location, "prefix">): string {
  return prefix === "" ? directory : directory.slice(0, -prefix.length - 1) || "/";
}

/**
 * The remote of a person's repository, chosen as git does: that of the branch, or `origin`, or the only one; without a
 * remote the repository itself. A password in the address is left out, because addresses are shown.
 */
export async function remoteOf(
  room: Room,
  top: string,
  branch: string | null,
  signal?: AbortSignal,
): Promise<string> {
  const args = ["config", "-z", "--get-regexp", "^(remote\\..*\\.url|branch\\..*\\.remote)$"];
  const { stdout } = await room.git.run(callIn(room, top, args), signal);
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
