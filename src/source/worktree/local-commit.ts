/** Snapshots one commit of the repository around a directory, which is the root of the tree. */
import { realpath } from "node:fs/promises";
import { Problem } from "../../kernel/index.ts";
import {
  addressesBelow,
  addressesIn,
  remoteOf,
  saveAddresses,
  topOf,
} from "../checkout/submodule-addresses.ts";
import type { SourceDeps } from "../deps.ts";
import { checkRef, isCommitId, refNotFound, refParts } from "../git/ref.ts";
import { quote } from "../git/url.ts";
import { importCommit } from "../mirror/import-commit.ts";
import { mirrorAt, openMirror } from "../mirror/mirror.ts";
import type { LocalCommitRequest, WorkingTree } from "../types.ts";
import {
  callIn,
  checkDirectory,
  type Location,
  locate,
  locationArguments,
  readLocation,
  treeAt,
} from "./repository.ts";

export async function snapshotCommit(
  deps: SourceDeps,
  request: LocalCommitRequest,
  signal?: AbortSignal,
): Promise<WorkingTree> {
  const ref = checkRef(request.ref);
  await checkDirectory(request.directory);
  const directory = await realpath(request.directory);
  const { location, found } =
    (await locateCommit(deps, directory, ref, signal)) ?? (await findCommit(deps, directory, ref, signal));
  const { commit, tree, fullName } = found;
  const mirror = mirrorAt(deps.directory, request.repositoryId, location.format);
  await openMirror(mirror, deps.clock);
  const imported = await importCommit(deps, mirror, location, commit, signal);
  if (imported === null)
    throw new Problem(
      "source_unavailable",
      `The repository of ${quote(directory)} lacks some files of ${quote(ref)}.`,
      {
        remedy: "It is a partial clone. Check that commit out once, or give the repository's address.",
      },
    );
  const { files, links } = await deps.counts.once(tree, () => count(deps, mirror.path, tree, signal));
  if (links > 0) {
    const top = topOf(directory, location);
    const declared = await addressesIn(deps, mirror, commit, signal);
    const base = await remoteOf(deps, top, refParts(fullName).branch, signal);
    await saveAddresses(mirror, tree, { base, links: addressesBelow(declared, location) });
  }
  return {
    commit,
    tree,
    ...refParts(fullName),
    dirty: false,
    cut: imported.cuts.length > 0,
    subpath: location.prefix || null,
    fileCount: files,
    submodules: links > 0,
    nested: [],
  };
}

async function findCommit(
  deps: SourceDeps,
  directory: string,
  ref: string,
  signal?: AbortSignal,
): Promise<LocatedCommit> {
  const location = await locate(deps, directory, signal);
  if (location === null)
    throw new Problem(
      "source_refused",
      `${quote(directory)} is not in a git repository, so it has no ref ${quote(ref)}.`,
      {
        remedy: "Leave the ref out to use the directory's files.",
      },
    );
  const found = await find(deps, { directory, location }, ref, signal);
  if (found === null) throw refNotFound(ref, quote(directory), await refNames(deps, directory, signal));
  const { tree } = found;
  if (tree === null)
    throw new Problem(
      "source_refused",
      `The commit ${quote(ref)} has no directory ${quote(location.prefix)}.`,
      {
        remedy: "Give the repository's root, or a commit that has the directory.",
      },
    );
  return { location, found: { ...found, tree } };
}

/** Names to try. A branch wins over a tag of the same name, as with a remote. git interprets the rest. */
const namesOf = (ref: string): readonly [string, ...string[]] =>
  ref === "HEAD" || ref.startsWith("refs/") || isCommitId(ref) ? [ref] : [`refs/heads/${ref}`, ref];

/** Finds location and commit by one git call. Null if any of it fails; other calls then find the reason. */
async function locateCommit(
  deps: SourceDeps,
  directory: string,
  ref: string,
  signal?: AbortSignal,
): Promise<LocatedCommit | null> {
  const [name] = namesOf(ref);
  const wanted = ["--quiet", `${name}^{commit}`, `${name}^{commit}:./`, "--symbolic-full-name", name];
  const asked = callIn(deps, directory, ["rev-parse", ...locationArguments, ...wanted]);
  const { code, stdout } = await deps.git.run(asked, signal);
  if (code !== 0) return null;
  // The full name is printed only for a ref.
  const answer = /^(.*)\n([0-9a-f]{40,64})\n([0-9a-f]{40,64})\n(?:(refs\/[^\n]*)\n)?$/s.exec(
    stdout.toString("utf8"),
  );
  const location = answer === null ? null : readLocation(answer[1] ?? "", directory);
  if (answer === null || location === null) return null;
  const [, , commit = "", tree = "", fullName = null] = answer;
  return { location, found: { commit, tree, fullName } };
}

interface LocatedCommit {
  readonly location: Location;
  readonly found: { readonly commit: string; readonly tree: string; readonly fullName: string | null };
}

interface Place {
  readonly directory: string;
  readonly location: Location;
}

async function find(deps: SourceDeps, { directory, location }: Place, ref: string, signal?: AbortSignal) {
  for (const name of namesOf(ref)) {
    const args = ["rev-parse", "--quiet", `${name}^{commit}`, "--symbolic-full-name", name];
    const { code, stdout } = await deps.git.run(callIn(deps, directory, args), signal);
    const [commit, fullName = ""] = stdout.toString("utf8").trim().split("\n");
    if (code !== 0 || commit === undefined || !isCommitId(commit)) continue;
    const tree = await treeAt(deps, directory, commit, location.kind, signal);
    return { commit, tree, fullName: fullName === "" ? null : fullName };
  }
  return null;
}

async function refNames(deps: SourceDeps, directory: string, signal?: AbortSignal): Promise<string[]> {
  const args = ["for-each-ref", "--format=%(refname:strip=2)", "refs/heads", "refs/tags"];
  const { stdout } = await deps.git.expect(callIn(deps, directory, args), quote(directory), signal);
  return stdout.toString("utf8").split("\n").filter(Boolean);
}

async function count(deps: SourceDeps, mirror: string, tree: string, signal?: AbortSignal) {
  const call = {
    args: ["ls-tree", "-r", "-z", tree],
    cwd: mirror,
    env: { GIT_DIR: mirror },
    limitMs: deps.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await deps.git.expect(call, `the tree ${tree}`, signal);
  const records = stdout.toString("latin1").split("\0").filter(Boolean);
  const links = records.filter((record) => record.startsWith("160000")).length;
  return { files: records.length - links, links };
}
