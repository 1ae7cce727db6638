/** Files of a tree that Git LFS keeps elsewhere: the tree has a pointer, a small text with digest and size. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Mirror, privatePlace } from "./mirror.ts";
import type { Room } from "./room.ts";

export interface LfsPointer {
  /** Path in bytes (latin1). */
  readonly path: string;
  /** Lower-case hex SHA-256 of the content. */
  readonly oid: string;
  readonly size: number;
}

/** A pointer has at most so many bytes, and at least the other number. */
const [longest, shortest] = [1024, 120];

interface Blob {
  readonly path: string;
  readonly id: string;
  readonly size: number;
}

/** None where no .gitattributes of the tree gives files to LFS. */
export async function lfsPointers(
  room: Room,
  mirror: Mirror,
  tree: string,
  signal?: AbortSignal,
): Promise<readonly LfsPointer[]> {
  const call = {
    args: ["ls-tree", "-r", "-l", "-z", tree],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await room.git.expect(call, `the tree ${tree}`, signal);
  const blobs = parseBlobs(stdout);
  const attributes = blobs.filter(
    ({ path, size }) => /(?:^|\/)\.gitattributes$/.test(path) && size < 1 << 20,
  );
  const rules = await contents(room, mirror, attributes, signal);
  if (![...rules.values()].some((text) => /\bfilter=lfs\b/.test(text))) return [];
  const small = blobs.filter(({ size }) => size >= shortest && size <= longest);
  const found = await contents(room, mirror, small, signal);
  return small.flatMap(({ path, id }) => {
    const pointer = parsePointer(found.get(id) ?? "");
    return pointer === null ? [] : [{ path, ...pointer }];
  });
}

/** `<mode> blob <id> <size>\t<path>`, symlinks and submodules left out. */
function parseBlobs(output: Buffer): readonly Blob[] {
  return output
    .toString("latin1")
    .split("\0")
    .flatMap((record) => {
      const cut = record.indexOf("\t");
      const [mode = "", type, id = "", size] = record.slice(0, Math.max(cut, 0)).split(/ +/);
      if (type !== "blob" || !mode.startsWith("100")) return [];
      return [{ path: record.slice(cut + 1), id, size: Number(size) }];
    });
}

function parsePointer(text: string): Pick<LfsPointer, "oid" | "size"> | null {
  if (!text.startsWith("version https://git-lfs.github.com/spec/v1\n")) return null;
  const oid = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = /^size (\d{1,15})$/m.exec(text)?.[1];
  return oid === undefined || size === undefined ? null : { oid, size: Number(size) };
}

/** Blobs by their ids. */
async function contents(
  room: Room,
  mirror: Mirror,
  blobs: readonly Blob[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  if (blobs.length === 0) return found;
  await using place = await privatePlace(mirror);
  const stdin = join(place.path, "ids");
  await writeFile(stdin, [...new Set(blobs.map(({ id }) => `${id}\n`))].join(""));
  const call = {
    args: ["cat-file", "--batch"],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    stdin,
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  const { stdout } = await room.git.run(call, signal);
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(0x0a, at);
    if (end < 0) break;
    const [id = "", type, size] = stdout.toString("latin1", at, end).split(" ");
    at = end + 1;
    if (type !== "blob") continue;
    found.set(id, stdout.toString("latin1", at, at + Number(size)));
    at += Number(size) + 1;
  }
  return found;
}
