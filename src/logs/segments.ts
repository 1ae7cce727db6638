/**
 * Segments of a log: `<base>/<first 2 of the id's random part>/<execution id>/<start offset, 20 digits>`. A segment
 * appears whole and never shrinks. Only segment 0 may grow, by a single writer. A log is sealed if and only if its
 * segment 0 is read-only: it then has all bytes, and other segments are leftovers of the merge.
 */
import { constants, type Stats } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import path from "node:path";
import { type ExecutionId, errorCode } from "../kernel/index.ts";

const nameShape = /^\d{20}$/;
const writable = 0o222;

export const segmentName = (start: number): string => String(start).padStart(20, "0");
export const firstSegment = segmentName(0);

/** Spreads logs evenly over 256 directories by the random part of the id, because its leading digits are a time. */
export function logDirectory(base: string, executionId: ExecutionId): string {
  return path.join(base, executionId.slice(15, 17), executionId);
}

export const isSealed = (segmentZero: Stats): boolean => (segmentZero.mode & writable) === 0;

export interface Extent {
  /** Number of bytes from 0 without a gap. */
  readonly size: number;
  readonly sealed: boolean;
  /** Start offsets of the segments, ascending. */
  readonly starts: readonly number[];
}

export async function extentOf(directory: string): Promise<Extent> {
  const zero = await statOrNull(path.join(directory, firstSegment));
  if (zero !== null && isSealed(zero)) return { size: zero.size, sealed: true, starts: [0] };
  const starts = await startsIn(directory);
  const last = starts.at(-1);
  if (last === undefined) return { size: 0, sealed: false, starts };
  const stat = await statOrNull(path.join(directory, segmentName(last)));
  // A merge removed the segment meanwhile, so the log is sealed now.
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

/** Opens a segment for reading. Null if it is absent. */
async function openSegment(directory: string, start: number): Promise<FileHandle | null> {
  try {
    return await fs.open(path.join(directory, segmentName(start)), constants.O_RDONLY);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/**
 * Reads bytes from `offset` into `target`, over several segments if necessary. Returns their number.
 * @param seen extent that the caller has just read
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
    // A merge may remove the segment between listing and opening. Its bytes are in segment 0 then.
    if (count === null) extent = await extentOf(directory);
    else if (count === 0) break;
    else filled += count;
  }
  return filled;
}

/** Returns null if the segment is absent. */
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
