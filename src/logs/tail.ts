/** Reads the last lines of a log. */
import { extentOf, readInto } from "./segments.ts";

const newline = 0x0a;

export async function tail(directory: string, lines: number, maxBytes: number): Promise<Uint8Array> {
  const extent = await extentOf(directory);
  const from = Math.max(0, extent.size - Math.max(0, maxBytes));
  const buffer = new Uint8Array(extent.size - from);
  const count = await readInto(directory, from, buffer, extent);
  return lastLines(buffer.subarray(0, count), lines);
}

/** Returns the last `lines` lines. A final newline ends the last line and begins no other. */
export function lastLines(bytes: Uint8Array, lines: number): Uint8Array {
  if (lines <= 0) return bytes.subarray(bytes.length);
  let at = bytes.at(-1) === newline ? bytes.length - 1 : bytes.length;
  for (let found = 0; found < lines; found += 1) {
    at = at === 0 ? -1 : bytes.lastIndexOf(newline, at - 1);
    if (at === -1) return bytes;
  }
  return bytes.subarray(at + 1);
}
