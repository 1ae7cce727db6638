/**
 * Finds the pointers of Git LFS in a tree. Like for git-lfs, a pointer is a file with the attribute `filter=lfs` and the
 * text of a pointer. Any other file is ordinary.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceDeps } from "../deps.ts";
import { type Mirror, privatePlace, repositoryConfig, unusable } from "../mirror/mirror.ts";

export interface LfsPointer {
  /** Path from the tree's root, as latin1 bytes. */
  readonly path: string;
  /** SHA-256 of the content, lower-case hex. */
  readonly oid: string;
  /** Size of the content in bytes. */
  readonly size: number;
}

const pointer =
  /^version https:\/\/(?:git-lfs|hawser)\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (0|[1-9]\d{0,15})\n?$/;
/** Minimum and maximum length of a pointer's text. */
const [shortest, longest] = [120, 150];

/** Parses a pointer. Null for an ordinary file and for a pointer with extensions, which are not supported. */
export function parsePointer(content: Buffer): Pick<LfsPointer, "oid" | "size"> | null {
  const [, oid, digits] = pointer.exec(content.toString("latin1")) ?? [];
  const size = Number(digits);
  return oid !== undefined && Number.isSafeInteger(size) ? { oid, size } : null;
}

/** Lists the pointers of a tree that is in the mirror. A tree without `filter=lfs` costs one git process. */
export function pointersOf(
  deps: SourceDeps,
  mirror: Mirror,
  tree: string,
  signal?: AbortSignal,
): Promise<readonly LfsPointer[]> {
  return deps.pointers.once(`${mirror.path} ${tree}`, () => findPointers(deps, mirror, tree, signal));
}

async function findPointers(deps: SourceDeps, mirror: Mirror, tree: string, signal?: AbortSignal) {
  const common = { cwd: mirror.path, limitMs: deps.limits.localMs, config: "none" } as const;
  const inMirror = { ...common, env: { GIT_DIR: mirror.path } };
  const what = `the tree ${tree}`;
  const attributes = ["grep", "-q", "-F", "-e", "filter=lfs", tree, "--", ":(glob)**/.gitattributes"];
  const uses = await deps.git.run({ ...inMirror, args: attributes }, signal);
  if (uses.code === 1) return [];
  const listed = await deps.git.expect(
    { ...inMirror, args: ["ls-tree", "-r", "-l", "-z", tree] },
    what,
    signal,
  );
  const small = smallFiles(listed.stdout);
  if (small.length === 0) return [];

  await using place = await privatePlace(mirror);
  const [names, ids, files] = ["names", "ids", "files"].map((name) => join(place.path, name)) as [
    string,
    string,
    string,
  ];
  try {
    await Promise.all([mkdir(files), mkdir(join(place.path, "refs"))]);
    await Promise.all([
      writeFile(join(place.path, "HEAD"), "ref: refs/heads/none\n"),
      writeFile(join(place.path, "config"), repositoryConfig(mirror.format, "\tbare = false\n")),
      writeFile(names, small.map(({ path }) => `${path}\0`).join(""), "latin1"),
      writeFile(ids, small.map(({ blob }) => `${blob}\n`).join("")),
    ]);
  } catch (error) {
    throw unusable(place.path, error);
  }
  // The mirror's attributes would disable every filter.
  const env = { GIT_DIR: place.path, GIT_OBJECT_DIRECTORY: mirror.objects, GIT_WORK_TREE: files };
  const own = { ...common, cwd: files, env };
  await deps.git.expect({ ...own, args: ["read-tree", tree] }, what, signal);
  const noFile = ["-c", "core.attributesFile=/dev/null"];
  const asked = [...noFile, "check-attr", "--cached", "-z", "--stdin", "filter"];
  const filters = await deps.git.expect({ ...own, args: asked, stdin: names }, what, signal);
  const blobs = await deps.git.expect(
    { ...own, args: ["cat-file", "--batch", "--buffer"], stdin: ids },
    what,
    signal,
  );
  const byLfs = pathsOfLfs(filters.stdout);
  const contents = contentsIn(blobs.stdout);
  return small.flatMap(({ path, blob }): LfsPointer[] => {
    const content = byLfs.has(path) ? contents.get(blob) : undefined;
    const found = content === undefined ? null : parsePointer(content);
    return found === null ? [] : [{ path, ...found }];
  });
}

/** Lists regular files of a pointer's length. Each record is `mode type id size<TAB>path`. */
function smallFiles(listing: Buffer) {
  return listing
    .toString("latin1")
    .split("\0")
    .flatMap((record) => {
      const [, blob = "", size, path = ""] = /^100\d{3} blob (\S+) +(\d+)\t(.*)$/s.exec(record) ?? [];
      return Number(size) >= shortest && Number(size) <= longest ? [{ path, blob }] : [];
    });
}

/** Lists paths of LFS files from records of path, attribute and value. */
function pathsOfLfs(output: Buffer): ReadonlySet<string> {
  const words = output.toString("latin1").split("\0");
  return new Set(words.filter((_, at) => at % 3 === 0 && words[at + 2] === "lfs"));
}

/** Parses contents from records of `id blob size`, newline, the bytes and a newline. */
function contentsIn(output: Buffer): ReadonlyMap<string, Buffer> {
  const contents = new Map<string, Buffer>();
  let at = 0;
  while (at < output.length) {
    const end = output.indexOf(0x0a, at);
    if (end < 0) break;
    const [id = "", , size = "0"] = output.toString("latin1", at, end).split(" ");
    contents.set(id, output.subarray(end + 1, end + 1 + Number(size)));
    at = end + 1 + Number(size) + 1;
  }
  return contents;
}
