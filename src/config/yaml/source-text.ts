/** Decodes the bytes of a file, and rejects files that are too large, binary or wrongly encoded. */
import { isUtf8 } from "node:buffer";
import type { Fault } from "./faults.ts";

/** Maximum size of a file, a hundred times what people write. */
export const maxFileBytes = 256 * 1024;

export interface SourceText {
  /** The decoded text without a byte order mark, in which the place of a fault is shown. */
  readonly text: string;
  readonly fault: Fault | null;
}

const byteOrderMark = Buffer.from("\uFEFF");

export function decodeSource(input: string | Uint8Array): SourceText {
  const all =
    typeof input === "string"
      ? Buffer.from(input)
      : Buffer.from(input.buffer, input.byteOffset, input.length);
  if (all.length > maxFileBytes)
    return reject(
      "",
      0,
      // The caller stops reading at the limit, so the size is unknown.
      `The file has more than ${maxFileBytes} bytes (256 KiB), which is the maximum.`,
      "Move long scripts into files of the repository and call them.",
    );
  if (isUtf16(all)) return reject("", 0, "The file is encoded as UTF-16.", "Save it as UTF-8.");
  const marked = all.subarray(0, byteOrderMark.length).equals(byteOrderMark);
  const bytes = marked ? all.subarray(byteOrderMark.length) : all;
  const text = bytes.toString("utf8");
  const zero = text.indexOf("\0");
  if (zero !== -1)
    return reject(
      text,
      zero,
      "The file contains a NUL byte, so it is binary and not YAML.",
      "Check whether this is the intended file.",
    );
  if (isUtf8(bytes)) return { text, fault: null };
  const { index, offset } = firstBadCharacter(text, bytes);
  const hex = (bytes[offset] ?? 0).toString(16).padStart(2, "0");
  const place = offset + all.length - bytes.length;
  return reject(text, index, `The byte 0x${hex} at offset ${place} is not UTF-8.`, "Save the file as UTF-8.");
}

function reject(text: string, start: number, message: string, remedy: string): SourceText {
  return { text, fault: { start, end: start + 1, message, suggestion: null, remedy } };
}

function isUtf16(bytes: Buffer): boolean {
  const [first, second] = bytes;
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/**
 * Finds the first replacement character that is not in the bytes. The text before it was decoded without loss, so the
 * length of that text in bytes is the offset.
 */
function firstBadCharacter(lossy: string, bytes: Buffer): { index: number; offset: number } {
  const real = Buffer.from("\uFFFD");
  let offset = 0;
  let from = 0;
  for (;;) {
    const index = lossy.indexOf("\uFFFD", from);
    offset += Buffer.byteLength(lossy.slice(from, index));
    if (!bytes.subarray(offset, offset + real.length).equals(real)) return { index, offset };
    offset += real.length;
    from = index + 1;
  }
}
