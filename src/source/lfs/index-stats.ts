/**
 * Writes size and times of LFS files into the index of a checkout. Otherwise git would run the filter, two processes a
 * file, to find that the index has its pointer. The files were verified before.
 */
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { lstat, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { ObjectFormat } from "../mirror/mirror.ts";
import { eachOf } from "./each-of.ts";
import type { LfsPointer } from "./pointers.ts";

/** Size of an entry before the object's id: ten numbers, see gitformat-index(5). */
const statBytes = 40;
const idBytes = { sha1: 20, sha256: 32 } as const satisfies Record<ObjectFormat, number>;

/** @throws Problem internal: the index has another version than git's default */
export async function noteFiles(
  target: string,
  pointers: readonly LfsPointer[],
  format: ObjectFormat,
): Promise<void> {
  const file = join(target, ".git", "index");
  const index = await readFile(file);
  const entries = entriesOf(index, format);
  await eachOf(pointers, async ({ path }) => {
    const at = entries.get(path);
    if (at === undefined) return;
    const file = Buffer.concat([Buffer.from(`${target}/`), Buffer.from(path, "latin1")]);
    writeStat(index, at, await lstat(file, { bigint: true }));
  });
  const end = index.length - idBytes[format];
  createHash(format).update(index.subarray(0, end)).digest().copy(index, end);
  await writeFile(file, index);
}

/** Offsets of entries by path (latin1). */
function entriesOf(index: Buffer, format: ObjectFormat): ReadonlyMap<string, number> {
  const version = index.readUInt32BE(4);
  if (index.toString("latin1", 0, 4) !== "DIRC" || version !== 2)
    throw new Problem("internal", `git has written an index of version ${version}.`);
  const entries = new Map<string, number>();
  let at = 12;
  for (let left = index.readUInt32BE(8); left > 0; left -= 1) {
    const name = at + statBytes + idBytes[format] + 2;
    const end = index.indexOf(0, name);
    entries.set(index.toString("latin1", name, end), at);
    // One to eight NULs align the next entry to eight bytes from this one.
    at += (end - at + 8) & ~7;
  }
  return entries;
}

/** Writes an entry's numbers except the mode at 24, which is the tree's. */
function writeStat(index: Buffer, at: number, found: BigIntStats): void {
  const { ctimeNs, mtimeNs, dev, ino, uid, gid, size } = found;
  const second = 1_000_000_000n;
  const numbers = { 0: ctimeNs / second, 4: ctimeNs % second, 8: mtimeNs / second, 12: mtimeNs % second };
  for (const [offset, value] of Object.entries({ ...numbers, 16: dev, 20: ino, 28: uid, 32: gid, 36: size }))
    index.writeUInt32BE(Number(BigInt.asUintN(32, value)), at + Number(offset));
}
