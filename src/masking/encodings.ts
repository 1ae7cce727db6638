/**
 * Encodings whose every piece can be read by itself: of base64 and hex one line is as good as the whole. So a log is
 * searched for pieces of them, and they are followed across line breaks.
 */

export interface Encoding {
  readonly name: string;
  /** All ways in which this may come out, and by how many bytes a piece is recognized. */
  readonly written: (bytes: Buffer) => readonly string[];
}

/** Pieces of fewer bytes are no evidence of the value. */
export const leastBytes = 10;

export const encodings: readonly Encoding[] = [
  { name: "base64", written: (bytes) => base64(bytes) },
  {
    name: "base64 for URLs",
    written: (bytes) => base64(bytes).map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  },
  { name: "hex", written: (bytes) => bothCases(hex(bytes).join("")) },
  { name: "hex, bytes apart", written: (bytes) => bothCases(hex(bytes).join(" ")) },
  { name: "hex, colons between", written: (bytes) => bothCases(hex(bytes).join(":")) },
  { name: "hex of a script's string", written: (bytes) => bothCases(hex(bytes).join("\\x")) },
  { name: "hex of a script's list", written: (bytes) => [hex(bytes).join(", 0x"), hex(bytes).join(",0x")] },
  { name: "hex in words of two bytes", written: (bytes) => inWords(bytes, (word) => word.join("")) },
  {
    name: "hex in words of a little-endian machine",
    written: (bytes) => inWords(bytes, ([low = "", high = ""]) => high + low),
  },
  {
    name: "octal, bytes apart",
    written: (bytes) => [[...bytes].map((byte) => byte.toString(8).padStart(3, "0")).join(" ")],
  },
  {
    name: "decimal, bytes apart",
    written: (bytes) => [
      ...[" ", ", ", ","].map((gap) => [...bytes].join(gap)),
      [...bytes].map((byte) => String(byte).padStart(3)).join(" "),
    ],
  },
];

const hex = (bytes: Buffer): string[] => bytes.toString("hex").match(/../g) ?? [];
const bothCases = (text: string): readonly string[] => [text, text.toUpperCase().replaceAll("\\X", "\\x")];

/** Words begin at the first byte or, where something stands before it, at the second. */
function inWords(bytes: Buffer, print: (word: readonly string[]) => string): readonly string[] {
  return [0, 1].flatMap((from) => {
    const all = hex(bytes.subarray(from));
    const words = all.flatMap((_, at) =>
      at % 2 === 0 && at + 1 < all.length ? [print(all.slice(at, at + 2))] : [],
    );
    return bothCases(words.join(" "));
  });
}

/**
 * Base64 of something that the value is a part of (`user:password`): what its digits are depends on how many bytes stand
 * before it, modulo three, and the digits at both ends also on the neighbours. Those between are the value's alone.
 */
function base64(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((before) => {
    const all = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    return all.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3));
  });
}
