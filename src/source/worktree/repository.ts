/** Reads a working copy's repository: location of a directory, list of files, HEAD. Never writes. */
import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, errorMessage, Problem } from "../../kernel/index.ts";
import type { SourceDeps } from "../deps.ts";
import { explainGit } from "../git/problem.ts";
import { isCommitId } from "../git/ref.ts";
import { quote } from "../git/url.ts";
import type { ObjectFormat } from "../mirror/mirror.ts";
import { brokenRepository, directoryOfGit } from "./broken-repository.ts";

export interface Head {
  readonly commit: string | null;
  /** Short branch name; null when detached. */
  readonly branch: string | null;
  /** True if git sees changes. Index flags or a sparse checkout may hide others. */
  readonly trackedChanges: boolean;
  /** Tracked files that are missing or replaced by a symlink or directory. Latin1 bytes, from the repository's root. */
  readonly deleted: ReadonlySet<string>;
}

export interface Location {
  readonly format: ObjectFormat;
  /** `bare` means commits without files. */
  readonly kind: "working_tree" | "bare";
  /** Path such as `services/api`, or "" at the repository's root. */
  readonly prefix: string;
  /** Absolute path of the object store. */
  readonly objects: string;
}

/** Call of git in a working copy, with the person's configuration and without locks. */
export function callIn(deps: SourceDeps, directory: string, args: readonly string[]) {
  return {
    args: ["-C", directory, ...args],
    cwd: deps.directory,
    limitMs: deps.limits.localMs,
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
      return new Problem("source_refused", `The directory ${quote(directory)} does not exist.`, place);
    case "ENOTDIR":
      return new Problem("source_refused", `${quote(directory)} is a file; a directory is needed.`, place);
    default:
      return new Problem(
        "source_unavailable",
        `The directory ${quote(directory)} cannot be read: ${errorMessage(error)}.`,
        {
          ...place,
          remedy: "Check its permissions.",
          cause: error,
        },
      );
  }
}

/** Arguments of `git rev-parse` whose output `readLocation` parses. */
export const locationArguments = [
  "--is-bare-repository",
  "--is-inside-git-dir",
  "--is-inside-work-tree",
  "--show-prefix",
  "--show-object-format",
  "--git-path",
  "objects",
] as const;

/** Locates a directory. Null if no `.git` is at or above it. @throws Problem source_refused: inside .git, foreign, broken */
export async function locate(
  deps: SourceDeps,
  directory: string,
  signal?: AbortSignal,
): Promise<Location | null> {
  const { code, stdout, stderr } = await deps.git.run(
    callIn(deps, directory, ["rev-parse", ...locationArguments]),
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
    throw new Problem("source_refused", `${quote(directory)} is inside a .git directory.`, {
      remedy: "Give a working directory, or the repository's address and a ref.",
      place: directory,
    });
  if (code !== 0) throw explainGit({ code, stderr }, quote(directory));
  if (location.prefix !== "") await refusePassedOver(deps, directory, location.prefix, signal);
  return location;
}

/** Rejects a broken `.git`, because git skips it and uses the repository around it. */
async function refusePassedOver(deps: SourceDeps, directory: string, prefix: string, signal?: AbortSignal) {
  const nearest = await directoryOfGit(directory);
  const top = directory.slice(0, directory.length - prefix.length - 1);
  if (nearest === null || nearest.length <= top.length) return;
  const args = ["rev-parse", "--resolve-git-dir", join(nearest, ".git")];
  if ((await deps.git.run(callIn(deps, directory, args), signal)).code !== 0)
    throw await brokenRepository(nearest);
}

/** Parses a location. Null if the directory is inside a `.git`. */
export function readLocation(text: string, directory: string): Location | null {
  const [bare, inside, work, ...rest] = text.split("\n");
  if (bare !== "true" && inside === "true" && work !== "true") return null;
  // The object format separates prefix and object store, which may contain newlines.
  const middle = rest.findLastIndex((line) => line === "sha1" || line === "sha256");
  const objects = rest.slice(middle + 1).join("\n");
  return {
    format: rest[middle] === "sha256" ? "sha256" : "sha1",
    kind: bare === "true" ? "bare" : "working_tree",
    prefix: rest.slice(0, middle).join("\n").replace(/\/$/, ""),
    objects: objects.startsWith("/") ? objects : join(directory, objects),
  };
}

export async function readHead(deps: SourceDeps, directory: string, signal?: AbortSignal): Promise<Head> {
  const args = [
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=no",
    "--ignore-submodules=dirty",
  ];
  const call = callIn(deps, directory, [...args, "--no-renames", "--no-ahead-behind", "--", "."]);
  const { stdout } = await deps.git.expect(call, quote(directory), signal);
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

/** Parses `1 XY sub mH mI mW hH hI path` or `u XY sub m1 m2 m3 mW h1 h2 h3 path`. mW is 000000 for a missing file. */
function deletedPath(record: string): string | null {
  const match = /^(?:1(?: \S+){4} 000000(?: \S+){2}|u(?: \S+){5} 000000(?: \S+){3}) (.*)$/s.exec(record);
  return match?.[1] ?? null;
}

/** Tree of a commit at this directory, or null. For a bare repository, the whole tree. */
export async function treeAt(
  deps: SourceDeps,
  directory: string,
  commit: string,
  kind: Location["kind"],
  signal?: AbortSignal,
): Promise<string | null> {
  const path = kind === "bare" ? "" : "./";
  const args = ["rev-parse", "--quiet", "--verify", `${commit}:${path}`];
  const { stdout } = await deps.git.run(callIn(deps, directory, args), signal);
  const tree = stdout.toString("latin1").trim();
  return isCommitId(tree) ? tree : null;
}

/** First tag at a commit, for a detached HEAD. */
export async function tagAt(
  deps: SourceDeps,
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
  const call = callIn(deps, directory, [...args, "refs/tags"]);
  const { stdout } = await deps.git.expect(call, quote(directory), signal);
  return stdout.toString("utf8").trim() || null;
}

/** True if the repository around a directory ignores that directory, so that it lists no files. */
export async function isIgnored(deps: SourceDeps, directory: string, signal?: AbortSignal): Promise<boolean> {
  return (await deps.git.run(callIn(deps, directory, ["check-ignore", "--quiet", "."]), signal)).code === 0;
}

/** Commit of a nested repository's HEAD, or null. */
export async function nestedCommit(
  deps: SourceDeps,
  directory: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const found = await lstat(join(directory, ".git")).catch(() => null);
  if (found === null) return null;
  const { code, stdout } = await deps.git.run(
    callIn(deps, directory, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]),
    signal,
  );
  return code === 0 ? stdout.toString("latin1").trim() : null;
}
