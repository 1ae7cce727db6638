/** Lists the files of a working copy. */
import { join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { quote } from "../git/url.ts";
import { callIn } from "./repository.ts";

/** Files of a working copy. Paths are latin1 byte strings, because a file name may not be UTF-8. */
export interface Listing {
  readonly files: ReadonlySet<string>;
  /** Submodules with their commit in the index, and nested repositories with null. */
  readonly gitlinks: ReadonlyMap<string, string | null>;
  /** Files and nested repositories that git neither tracks nor ignores. */
  readonly untracked: ReadonlySet<string>;
}

export async function listFiles(deps: SourceDeps, directory: string, signal?: AbortSignal): Promise<Listing> {
  const args = ["ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard"];
  const result = await deps.git.expect(callIn(deps, directory, args), quote(directory), signal);
  refuseUnread(result.stderr, directory);
  return parseListing(result.stdout);
}

/** Lists everything in a directory, including ignored files. */
export async function listEverything(
  deps: SourceDeps,
  directory: string,
  gitDirectory: string,
  signal?: AbortSignal,
): Promise<Listing> {
  const call = {
    ...callIn(deps, directory, ["ls-files", "-z", "-t", "--others"]),
    env: { GIT_DIR: gitDirectory, GIT_WORK_TREE: directory, GIT_INDEX_FILE: join(gitDirectory, "none") },
    config: "none",
  } as const;
  const result = await deps.git.expect(call, quote(directory), signal);
  refuseUnread(result.stderr, directory);
  return parseListing(result.stdout);
}

/** Turns git's warning about an unreadable directory into an error, because its files would be missing. */
function refuseUnread(stderr: string, directory: string): void {
  const line = /(?:could not open directory|unable to access|cannot open) '([^\n]*)': ([^\n]*)/.exec(stderr);
  if (line === null) return;
  throw new Problem("source_unavailable", `${quote(`${directory}/${line[1]}`)} cannot be read: ${line[2]}.`, {
    remedy: "Check its permissions, or add it to .gitignore.",
    place: `${directory}/${line[1]}`,
  });
}

/** Parses `? path` for an untracked file, else `H mode id stage<TAB>path`. */
export function parseListing(output: Buffer): Listing {
  const files = new Set<string>();
  const gitlinks = new Map<string, string | null>();
  const untracked = new Set<string>();
  for (const record of output.toString("latin1").split("\0")) {
    if (record === "") continue;
    if (record.startsWith("? ")) {
      const path = record.slice(2).replace(/\/$/, "");
      untracked.add(path);
      if (record.endsWith("/")) gitlinks.set(path, null);
      else files.add(path);
      continue;
    }
    const path = record.slice(record.indexOf("\t") + 1);
    if (record.slice(2, 8) === "160000") gitlinks.set(path, record.slice(9).split(" ", 1)[0] ?? null);
    else files.add(path);
  }
  return { files, gitlinks, untracked };
}
