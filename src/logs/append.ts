/** Appends received bytes to a log: compares known bytes and stores new ones as a segment that appears whole. */
import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { errorCode, Problem } from "../kernel/index.ts";
import { type Extent, extentOf, readInto, segmentName } from "./segments.ts";
import type { AppendResult } from "./types.ts";

const compareBytes = 256 * 1024;

export async function append(
  directory: string,
  capBytes: number,
  offset: number,
  bytes: Uint8Array,
): Promise<AppendResult> {
  if (!Number.isSafeInteger(offset) || offset < 0)
    throw new Problem("usage", `${offset} is not an offset of a log.`, { place: "offset" });
  await fs.mkdir(directory, { recursive: true });
  for (;;) {
    const extent = await extentOf(directory);
    const step = decide(extent, capBytes, offset, bytes.length);
    if (step.kind === "gap") return { kind: "gap", size: extent.size };
    await compare(directory, offset, bytes.subarray(0, step.known));
    if (step.kind === "sealed") throw sealedProblem(directory, extent.size);
    if (step.kind === "full") return { kind: "full", size: extent.size };
    if (step.kind === "known") return { kind: "stored", size: extent.size };
    const fresh = bytes.subarray(step.known, step.known + step.fresh);
    // Another writer added a segment at this offset, perhaps with the same bytes, so compare again.
    if (!(await addSegment(directory, extent.size, fresh))) continue;
    const size = extent.size + fresh.length;
    return step.known + step.fresh < bytes.length ? { kind: "full", size } : { kind: "stored", size };
  }
}

type Step =
  | { readonly kind: "gap" }
  /** `known`: number of leading bytes that must equal the stored ones. */
  | { readonly kind: "known"; readonly known: number }
  | { readonly kind: "full"; readonly known: number }
  | { readonly kind: "sealed"; readonly known: number }
  | { readonly kind: "add"; readonly known: number; readonly fresh: number };

/** Decides what to do with `length` bytes at `offset`. */
export function decide(
  extent: Omit<Extent, "starts">,
  capBytes: number,
  offset: number,
  length: number,
): Step {
  const { size, sealed } = extent;
  if (offset > size) return size >= capBytes ? { kind: "full", known: 0 } : { kind: "gap" };
  const known = Math.min(size - offset, length);
  if (known === length) return { kind: "known", known };
  if (size >= capBytes) return { kind: "full", known };
  if (sealed) return { kind: "sealed", known };
  return { kind: "add", known, fresh: Math.min(length - known, capBytes - size) };
}

/**
 * Writes a temporary file and links it, so that readers see whole segments and one writer gets an offset, on NFS, too.
 * Returns false if another writer has the offset.
 */
async function addSegment(directory: string, start: number, bytes: Uint8Array): Promise<boolean> {
  const aside = path.join(directory, `.append-${randomBytes(8).toString("hex")}`);
  try {
    await fs.writeFile(aside, bytes, { flag: "wx", mode: 0o644 });
    await fs.link(aside, path.join(directory, segmentName(start)));
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  } finally {
    await fs.rm(aside, { force: true });
  }
}

async function compare(directory: string, offset: number, bytes: Uint8Array): Promise<void> {
  const kept = new Uint8Array(Math.min(compareBytes, bytes.length));
  for (let done = 0; done < bytes.length; ) {
    const count = await readInto(directory, offset + done, kept.subarray(0, bytes.length - done));
    const same = Buffer.compare(kept.subarray(0, count), bytes.subarray(done, done + count)) === 0;
    if (count === 0 || !same)
      throw new Problem("conflict", `The log already has other bytes from offset ${offset + done}.`, {
        place: directory,
        remedy: "Send the same bytes again, or continue at the end of the log.",
      });
    done += count;
  }
}

function sealedProblem(directory: string, size: number): Problem {
  return new Problem("conflict", `The log is sealed with ${size} bytes and accepts no more.`, {
    place: directory,
    remedy: "Send a log's bytes before the final report of its execution.",
  });
}
