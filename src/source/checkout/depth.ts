/** Selects the history of a checkout: all of the mirror's, or less if the pipeline file asks for less. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceSpec } from "../../domain/index.ts";
import type { SourceDeps } from "../deps.ts";
import type { CommitRecord, Tag } from "../mirror/commit-record.ts";
import { type Mirror, privatePlace } from "../mirror/mirror.ts";

export type Shown = Pick<CommitRecord, "cuts" | "tags">;

/** @param clone null for the whole history */
export async function showHistory(
  deps: SourceDeps,
  mirror: Mirror,
  commit: string,
  record: Shown,
  clone: SourceSpec["clone"],
  signal?: AbortSignal,
): Promise<Shown> {
  const wanted = clone?.tags === false ? [] : record.tags;
  const depth = clone?.depth ?? null;
  if (depth === null) return { cuts: record.cuts, tags: wanted };
  const within = (shown: ReadonlySet<string>): readonly Tag[] =>
    wanted.filter((tag) => shown.has(tag.commit));
  if (depth === 1) return { cuts: [commit], tags: within(new Set([commit])) };
  const parents = await parentsOf(deps, mirror, commit, record.cuts, signal);
  const shown = new Set([commit]);
  let last = [commit];
  for (let level = 1; level < depth && last.length > 0; level += 1) {
    const next = last.flatMap((id) => parents.get(id) ?? []).filter((id) => !shown.has(id));
    last = [...new Set(next)];
    for (const id of last) shown.add(id);
  }
  // A parent of a last commit may be included by a shorter path. Otherwise the history ends at that commit.
  const ends = last.filter((id) => (parents.get(id) ?? []).some((parent) => !shown.has(parent)));
  const cuts = [...ends, ...record.cuts.filter((id) => shown.has(id))];
  return { cuts: [...new Set(cuts)], tags: within(shown) };
}

async function parentsOf(
  deps: SourceDeps,
  mirror: Mirror,
  commit: string,
  cuts: readonly string[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  await using place = await privatePlace(mirror);
  const shallow = join(place.path, "shallow");
  await writeFile(shallow, cuts.map((id) => `${id}\n`).join(""));
  const call = {
    args: ["rev-list", "--parents", commit],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path, ...(cuts.length === 0 ? {} : { GIT_SHALLOW_FILE: shallow }) },
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await deps.git.run(call, signal);
  const lines = stdout.toString("latin1").split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [id = "", ...parents] = line.split(" ");
      return [id, parents];
    }),
  );
}
