/** The reason why nothing may start while the disk is nearly full. */
import { statfs } from "node:fs/promises";

/** @returns null when `directory` has at least `minFreeBytes` free; 0 switches the check off */
export async function noSpaceReason(
  directory: string,
  minFreeBytes: number,
  freeBytes: (directory: string) => Promise<number> = freeBytesAt,
): Promise<string | null> {
  if (minFreeBytes <= 0) return null;
  const free = await freeBytes(directory);
  return free >= minFreeBytes
    ? null
    : `only ${free} bytes are free in ${directory}, and ${minFreeBytes} are kept free; nothing is started until there is room`;
}

async function freeBytesAt(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
