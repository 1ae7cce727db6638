/** Reading a person's repository: where a directory stands in it, what is listed, what differs. Nothing is written. */
import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, errorMessage, Problem } from "../../kernel/index.ts";
import type { Room } from "../deps.ts";
import { explainGit } from "../git/problem.ts";
import { isCommitId } from "../git/ref.ts";
import { quote } from "../git/url.ts";
import type { ObjectFormat } from "../mirror/mirror.ts";
import { brokenRepository, directoryOfGit } from "./broken-repository.ts";

/** Paths are byte strings (latin1): a file name need not be UTF-8. */
export interface Listing {
  readonly files: ReadonlySet<string>;
  /** Submodules, each with the commit in the index, and nested repositories, which have none there. */
  readonly gitlinks: ReadonlyMap<string, string | null>;
  /** Those of both that git does not track (and does not ignore). */
  readonly untracked: ReadonlySet<string>;
}

export interface Head {
  readonly commit: string | null;
  /** Short branch name; null when detached. */
  readonly branch: string | null;
  /** git sees changes; there may be others, which index flags or a sparse checkout hide. */
  readonly trackedChanges: boolean;
  /** Tracked files that are not there, or hidden behind a symlink or directory; bytes, from the repository's root. */
  readonly deleted: ReadonlySet<string>;
}

export interface Location {
  readonly format: ObjectFormat;
  /** `bare`: there are commits and no files. */
  readonly kind: "working_tree" | "bare";
  /** `services/api`, or "" at the repository's root. */
  readonly prefix: string;
  /** The object store, absolute. */
  readonly objects: string;
}

/** Runs git in the person's directory, with their own configuration and without a lock. */
export function callIn(room: Room, directory: string, args: readonly string[]) {
  return {
    args: ["-C", directory, ...args],
    cwd: room.directory,
    limitMs: room.limits.localMs,
    config: "person",
  } as const;
}

/** @throws Problem source_refused: absent or not a directory; source_unavailable: not readable */
export async function checkDirectory(directory: string): Promise<void> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(directory);
  } catch (error) {
    throw directoryProblem(directory, error);
  }
  if (!found.isDirectory()) throw directoryProblem(directory, { code: "ENOTDIR" });
}

function directoryProblem(directory: string, error: unknown): Problem {
  const place = { place: directory };
  switch (errorCode(error)) {
    case "ENOENT":
      return new Problem("source_refused", `The directory ${quote(directory)} does not exist`, place);
    case "ENOTDIR":
      return new Problem("source_refused", `${quote(directory)} is a file; a directory is needed`, place);
    default:
      return new Problem(
        "source_unavailable",
        `The directory ${quote(directory)} cannot be read: ${errorMessage(error)}`,
        {
          ...place,
          remedy: "Check its rights.",
          cause: error,
        },
      );
  }
}

/** What `readLocation` reads the answers of. */
export const locationQuestions = [
  "--is-bare-repository",
  "--is-inside-git-dir",
  "--is-inside-work-tree",
  "--show-prefix",
  "--show-object-format",
  "--git-path",
  "objects",
] as const;

/** Null: no `.git` is there or above. @throws Problem source_refused: bare, inside .git, foreign-owned, not usable */
export async function locate(room: Room, directory: string, signal?: AbortSignal): Promise<Location | null> {
  const { code, stdout, stderr } = await room.git.run(
    callIn(room, directory, ["rev-parse", ...locationQuestions]),
    signal,
  );
  if (code !== 0 && /not a git repository/.test(stderr)) {
    const broken = await directoryOfGit(directory);
    if (broken === null) return null;
    throw await brokenRepository(broken);
  }
  const text = stdout.toString("utf8").replace(/\n$/, "");
  const location = readLocation(text, directory);
  if (location === null)
    throw new Problem("source_refused", `${quote(directory)} is inside a .git directory`, {
      remedy: "Give a working directory, or the repository's address and a ref.",
      place: directory,
    });
  if (code !== 0) throw explainGit({ code, stderr }, quote(directory));
  if (location.prefix !== "") await refusePassedOver(room, directory, location.prefix, signal);
  return location;
}

/** git passes over a `.git` directory that it cannot use, and takes the repository around it. */
async function refusePassedOver(room: Room, directory: string, prefix: string, signal?: AbortSignal) {
  const nearest = await directoryOfGit(directory);
  const top = directory.slice(0, directory.length - prefix.length - 1);
  if (nearest === null || nearest.length <= top.length) return;
  const args = ["rev-parse", "--resolve-git-dir", join(nearest, ".git")];
  if ((await room.git.run(callIn(room, directory, args), signal)).code !== 0)
    throw await brokenRepository(nearest);
}

/** Null: the directory is inside of a `.git`. */
export function readLocation(text: string, directory: string): Location | null {
  const [bare, inside, work, ...rest] = text.split("\n");
  if (bare !== "true" && inside === "true" && work !== "true") return null;
  // What stands between prefix and object store is a word that no path ends in by chance.
  const middle = rest.findLastIndex((line) => line === "sha1" || line === "sha256");
  const objects = rest.slice(middle + 1).join("\n");
  return {
    format: rest[middle] === "sha256" ? "sha256" : "sha1",
    kind: bare === "true" ? "bare" : "working_tree",
    prefix: rest.slice(0, middle).join("\n").replace(/\/$/, ""),
    objects: objects.startsWith("/") ? objects : join(directory, objects),
  };
}

export async function listFiles(room: Room, directory: string, signal?: AbortSignal): Promise<Listing> {
  const args = ["ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard"];
  const result = await room.git.expect(callIn(room, directory, args), quote(directory), signal);
  refuseUnread(result.stderr, directory);
  return parseListing(result.stdout);
}

/** Everything under a directory, whatever any ignore file says. */
export async function listEverything(
  room: Room,
  directory: string,
  gitDirectory: string,
  signal?: AbortSignal,
): Promise<Listing> {
  const call = {
    ...callIn(room, directory, ["ls-files", "-z", "-t", "--others"]),
    env: { GIT_DIR: gitDirectory, GIT_WORK_TREE: directory, GIT_INDEX_FILE: join(gitDirectory, "none") },
    config: "none",
  } as const;
  const result = await room.git.expect(call, quote(directory), signal);
  refuseUnread(result.stderr, directory);
  return parseListing(result.stdout);
}

/** git warns about a directory it cannot read, and goes on without it; a build without its files would lie. */
function refuseUnread(stderr: string, directory: string): void {
  const line = /(?:could not open directory|unable to access|cannot open) '([^\n]*)': ([^\n]*)/.exec(stderr);
  if (line === null) return;
  throw new Problem("source_unavailable", `${quote(`${directory}/${line[1]}`)} cannot be read: ${line[2]}`, {
    remedy: "Check its rights, or let .gitignore name it.",
    place: `${directory}/${line[1]}`,
  });
}

/** `? path` for what git does not track, else `H mode id stage<TAB>path`. */
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

export async function readHead(room: Room, directory: string, signal?: AbortSignal): Promise<Head> {
  const args = [
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=no",
    "--ignore-submodules=dirty",
  ];
  const call = callIn(room, directory, [...args, "--no-renames", "--no-ahead-behind", "--", "."]);
  const { stdout } = await room.git.expect(call, quote(directory), signal);
  const records = stdout.toString("latin1").split("\0");
  const header = (name: string) =>
    records.find((record) => record.startsWith(`# ${name} `))?.slice(name.length + 3);
  const commit = header("branch.oid") ?? "(initial)";
  const branch = header("branch.head") ?? "(detached)";
  return {
    commit: commit === "(initial)" ? null : commit,
    branch: branch === "(detached)" ? null : Buffer.from(branch, "latin1").toString("utf8"),
    trackedChanges: records.some((record) => record !== "" && !record.startsWith("#")),
    deleted: new Set(records.map(deletedPath).filter((path) => path !== null)),
  };
}

/** `1 XY sub mH mI mW hH hI path` or `u XY sub m1 m2 m3 mW h1 h2 h3 path`: mW is 000000 when nothing is there. */
function deletedPath(record: string): string | null {
  const match = /^(?:1(?: \S+){4} 000000(?: \S+){2}|u(?: \S+){5} 000000(?: \S+){3}) (.*)$/s.exec(record);
  return match?.[1] ?? null;
}

/** The tree that a commit has at this directory, or null; of a bare repository the whole one. */
export async function treeAt(
  room: Room,
  directory: string,
  commit: string,
  kind: Location["kind"],
  signal?: AbortSignal,
): Promise<string | null> {
  const path = kind === "bare" ? "" : "./";
  const args = ["rev-parse", "--quiet", "--verify", `${commit}:${path}`];
  const { stdout } = await room.git.run(callIn(room, directory, args), signal);
  const tree = stdout.toString("latin1").trim();
  return isCommitId(tree) ? tree : null;
}

/** The first tag at a commit, for a HEAD that is detached there. */
export async function tagAt(
  room: Room,
  directory: string,
  commit: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const args = [
    "for-each-ref",
    "--count=1",
    "--sort=-creatordate",
    "--format=%(refname)",
    `--points-at=${commit}`,
  ];
  const call = callIn(room, directory, [...args, "refs/tags"]);
  const { stdout } = await room.git.expect(call, quote(directory), signal);
  return stdout.toString("utf8").trim() || null;
}

/** True when a repository around the directory ignores the directory itself, and so would list nothing of it. */
export async function isIgnored(room: Room, directory: string, signal?: AbortSignal): Promise<boolean> {
  return (await room.git.run(callIn(room, directory, ["check-ignore", "--quiet", "."]), signal)).code === 0;
}

/** The commit a nested repository is at, or null where it has none or is not there. */
export async function nestedCommit(
  room: Room,
  directory: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const found = await lstat(join(directory, ".git")).catch(() => null);
  if (found === null) return null;
  const { code, stdout } = await room.git.run(
    callIn(room, directory, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]),
    signal,
  );
  return code === 0 ? stdout.toString("latin1").trim() : null;
}
