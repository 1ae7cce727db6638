/**
 * A log on disk: `<base>/<first 2 of the id's random part>/<execution id>/<start offset, 20 digits>`. A segment appears
 * whole and never shrinks; segment 0 alone may grow, under a writer of its own. A log is sealed if and only if its
 * segment 0 is read-only: it then holds everything, and other segments are left-overs of the merge.
 */
import { constants, type Stats } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import path from "node:path";
import { type ExecutionId, errorCode } from "../kernel/index.ts";

const nameShape = /^\d{20}$/;
const writable = 0o222;

export const segmentName = (start: number): string => String(start).padStart(20, "0");
export const firstSegment = segmentName(0);

/** The id's leading digits are its time: the random part spreads logs evenly over 256 directories. */
export function logDirectory(base: string, executionId: ExecutionId): string {
  return path.join(base, executionId.slice(15, 17), executionId);
}

export const isSealed = (segmentZero: Stats): boolean => (segmentZero.mode & writable) === 0;

export interface Extent {
  /** Bytes from 0 without a gap. */
  readonly size: number;
  readonly sealed: boolean;
  /** Start offsets in order. */
  readonly starts: readonly number[];
}

export async function extentOf(directory: string): Promise<Extent> {
  const zero = await statOrNull(path.join(directory, firstSegment));
  if (zero !== null && isSealed(zero)) return { size: zero.size, sealed: true, starts: [0] };
  const starts = await startsIn(directory);
  const last = starts.at(-1);
  if (last === undefined) return { size: 0, sealed: false, starts };
  const stat = await statOrNull(path.join(directory, segmentName(last)));
  // Merged away between the two looks: what replaced it is sealed.
  return stat === null ? extentOf(directory) : { size: last + stat.size, sealed: false, starts };
}

async function startsIn(directory: string): Promise<readonly number[]> {
  try {
    const names = await fs.readdir(directory);
    return names
      .filter((name) => nameShape.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** A segment open for reading, or null when it is not there. */
async function openSegment(directory: string, start: number): Promise<FileHandle | null> {
  try {
    return await fs.open(path.join(directory, segmentName(start)), constants.O_RDONLY);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/**
 * Bytes into `target` from `offset` on, from as many segments as it takes; returns how many.
 * @param seen what was last seen of the log, where the caller has just looked
 */
export async function readInto(
  directory: string,
  offset: number,
  target: Uint8Array,
  seen?: Extent,
): Promise<number> {
  let extent = seen ?? (await extentOf(directory));
  let filled = 0;
  while (filled < target.length) {
    const at = offset + filled;
    const start = extent.starts.findLast((begin) => begin <= at);
    if (start === undefined) break;
    const count = await readSegment(directory, start, at, target.subarray(filled));
    // A merge may take the segment away between listing and opening; then its bytes are in segment 0.
    if (count === null) extent = await extentOf(directory);
    else if (count === 0) break;
    else filled += count;
  }
  return filled;
}

/** Null when the segment is not there. */
async function readSegment(
  directory: string,
  start: number,
  offset: number,
  target: Uint8Array,
): Promise<number | null> {
  const handle = await openSegment(directory, start);
  if (handle === null) return null;
  try {
    return (await handle.read(target, 0, target.length, offset - start)).bytesRead;
  } finally {
    await handle.close();
  }
}

export async function statOrNull(file: string): Promise<Stats | null> {
  try {
    return await fs.stat(file);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

export const isAbsent = (error: unknown): boolean => errorCode(error) === "ENOENT";
