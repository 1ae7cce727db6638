/** Seals a log: merges its segments into one read-only file. The rename of that file is the seal. */
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { Problem } from "../kernel/index.ts";
import { extentOf, firstSegment, readInto } from "./segments.ts";

const chunkBytes = 1 << 20;
const readOnly = 0o444;
const leftoverPattern = /^(\d{20}|\.(append|merge)-[0-9a-f]{16})$/;

/**
 * Seals a log of one segment, which every log of the local executor is, by two system calls and without a sync, because
 * the step's result does not depend on it. A merge is synced before it replaces its segments.
 */
export async function seal(directory: string): Promise<{ readonly bytes: number }> {
  const { size, sealed, starts } = await extentOf(directory);
  const zero = path.join(directory, firstSegment);
  if (!sealed && starts.length === 1 && starts[0] === 0) {
    await fs.chmod(zero, readOnly);
    // Read the size again: the writer may have written before the seal.
    return { bytes: (await fs.stat(zero)).size };
  }
  if (!sealed) await merge(directory, size);
  await cleanUp(directory);
  return { bytes: size };
}

async function merge(directory: string, size: number): Promise<void> {
  await fs.mkdir(directory, { recursive: true });
  const aside = path.join(directory, `.merge-${randomBytes(8).toString("hex")}`);
  const target = await fs.open(aside, "wx", readOnly);
  let merged = 0;
  try {
    for await (const chunk of chunks(directory, size)) {
      await target.writeFile(chunk);
      merged += chunk.length;
    }
    if (merged !== size)
      throw new Problem(
        "storage_failed",
        `Only ${merged} of the log's ${size} bytes could be read, so it is not sealed.`,
        {
          place: directory,
          remedy: "Check whether a segment was removed from the directory.",
        },
      );
    await target.sync();
  } finally {
    await target.close();
  }
  try {
    await fs.rename(aside, path.join(directory, firstSegment));
  } catch (error) {
    // Another process sealed the log first and removed our file as a leftover.
    const now = await extentOf(directory);
    if (!now.sealed || now.size !== size) throw error;
  }
}

async function cleanUp(directory: string): Promise<void> {
  for (const name of await fs.readdir(directory))
    if (leftoverPattern.test(name) && name !== firstSegment)
      await fs.rm(path.join(directory, name), { force: true });
}

export async function digest(
  directory: string,
  rest: Uint8Array = new Uint8Array(0),
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  const { size } = await extentOf(directory);
  for await (const chunk of chunks(directory, size)) hash.update(chunk);
  return { bytes: size + rest.length, sha256: hash.update(rest).digest("hex") };
}

/** Reads the first `size` bytes. Each chunk overwrites the one before. */
async function* chunks(directory: string, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(Math.min(chunkBytes, Math.max(1, size)));
  for (let offset = 0; offset < size; ) {
    const count = await readInto(directory, offset, buffer.subarray(0, size - offset));
    if (count === 0) return;
    yield buffer.subarray(0, count);
    offset += count;
  }
}
