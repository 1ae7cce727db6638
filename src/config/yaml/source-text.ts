/** From a file's bytes to text: too large, binary and wrongly encoded files are told from merely wrong ones. */
import { isUtf8 } from "node:buffer";
import type { Fault } from "./faults.ts";

/** A larger file is not read; the text of one that a person writes is a hundredth of it. */
export const maxFileBytes = 256 * 1024;

export interface SourceText {
  /** What could be decoded, without a byte order mark: the place of a fault is shown in it. */
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
    return refuse(
      "",
      0,
      // Who hands it over stops reading there, so its size is not known.
      `the file has more than ${maxFileBytes} bytes (256 KiB), and so large a one is not read`,
      "Move long scripts into files of the repository and call them.",
    );
  if (isUtf16(all)) return refuse("", 0, "the file is encoded as UTF-16", "Save it as UTF-8.");
  const marked = all.subarray(0, byteOrderMark.length).equals(byteOrderMark);
  const bytes = marked ? all.subarray(byteOrderMark.length) : all;
  const text = bytes.toString("utf8");
  const zero = text.indexOf("\0");
  if (zero !== -1)
    return refuse(
      text,
      zero,
      "the file holds a NUL byte, so it is binary and not YAML",
      "Look whether this is the file you meant.",
    );
  if (isUtf8(bytes)) return { text, fault: null };
  const { index, offset } = firstBadCharacter(text, bytes);
  const hex = (bytes[offset] ?? 0).toString(16).padStart(2, "0");
  const place = offset + all.length - bytes.length;
  return refuse(text, index, `the byte 0x${hex} at offset ${place} is not UTF-8`, "Save the file as UTF-8.");
}

function refuse(text: string, start: number, message: string, remedy: string): SourceText {
  return { text, fault: { start, end: start + 1, message, suggestion: null, remedy } };
}

function isUtf16(bytes: Buffer): boolean {
  const [first, second] = bytes;
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/**
 * The first replacement character of the lossy text that the bytes do not hold themselves. Everything before it was
 * decoded without loss, so its length in bytes is the offset.
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
