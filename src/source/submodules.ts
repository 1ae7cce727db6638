/** Submodules of a checkout, where the file asks for them: each a repository of its own, under the same address rules. */
import { join } from "node:path";
import { mirrorName, type SourceSpec } from "../domain/index.ts";
import { Problem } from "../kernel/index.ts";
import { fetchCommit } from "./fetch.ts";
import { formatOf, type Mirror, mirrorAt, openMirror, treeOfCommit } from "./mirror.ts";
import type { Room } from "./room.ts";
import type { CheckedOut } from "./types.ts";
import { checkUrl, isSameHost, quote, resolveSubmoduleUrl } from "./url.ts";

const maxDepth = 10;

interface Submodule {
  readonly path: string;
  readonly url: string;
  readonly commit: string;
}

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
  const notes: string[] = [];
  for (const submodule of await listSubmodules(room, mirror, spec.tree, signal)) {
    const url = checkUrl(resolveSubmoduleUrl(spec.cloneUrl, submodule.url), room.urls);
    if (depth >= maxDepth)
      throw new Problem(
        "source_refused",
        `Submodules are nested more than ${maxDepth} deep at ${quote(submodule.path)}`,
      );
    // What opens a repository opens those of its host that it names; other hosts do not get to see it.
    const credential = spec.credential != null && isSameHost(url, spec.cloneUrl) ? spec.credential : null;
    const repositoryId = `submodules/${mirrorName(url, credential)}`;
    const own = mirrorAt(room.directory, repositoryId, formatOf(submodule.commit));
    await openMirror(own, room.clock);
    const tree =
      (await treeOfCommit(own, submodule.commit)) ??
      (
        await fetchCommit(
          room,
          own,
          { url, credential, commit: submodule.commit, ref: null },
          "known",
          signal,
        )
      ).tree;
    const inner = {
      repositoryId,
      cloneUrl: url,
      credential,
      commit: submodule.commit,
      tree,
      submodules: true,
    };
    const done = await checkout(inner, join(target, submodule.path), depth + 1);
    notes.push(
      `Submodule ${quote(submodule.path)} is at ${submodule.commit.slice(0, 12)} of ${url}`,
      ...done.notes,
    );
  }
  return notes;
}

async function listSubmodules(
  room: Room,
  mirror: Mirror,
  tree: string,
  signal?: AbortSignal,
): Promise<Submodule[]> {
  const common = {
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  const pattern = "^submodule\\..*\\.(path|url)$";
  const config = ["config", "-z", "--blob", `${tree}:.gitmodules`, "--get-regexp", pattern];
  const [declared, entries] = await Promise.all([
    room.git.run({ ...common, args: config }, signal),
    room.git.expect({ ...common, args: ["ls-tree", "-r", "-z", tree] }, `the tree ${tree}`, signal),
  ]);
  const commits = new Map<string, string>();
  for (const record of entries.stdout.toString("utf8").split("\0")) {
    const [meta = "", path = ""] = record.split("\t");
    const [mode, , commit] = meta.split(" ");
    if (mode === "160000" && commit !== undefined) commits.set(path, commit);
  }
  const byName = new Map<string, { path?: string; url?: string }>();
  for (const record of declared.stdout.toString("utf8").split("\0")) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(record) ?? [];
    if (name === undefined || value === undefined) continue;
    const entry = byName.get(name) ?? {};
    if (key === "path") entry.path = value;
    else entry.url = value;
    byName.set(name, entry);
  }
  return [...byName.values()].flatMap(({ path, url }) => {
    const commit = path === undefined ? undefined : commits.get(path);
    return path === undefined || url === undefined || commit === undefined ? [] : [{ path, url, commit }];
  });
}
