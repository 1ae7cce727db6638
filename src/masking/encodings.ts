/**
 * Encodings whose every piece can be read by itself: of base64 and hex one line is as good as the whole. So a log is
 * searched for pieces of them, and they are followed across line breaks.
 */

export interface Encoding {
  readonly name: string;
  /** All ways in which this may come out, and by how many bytes a piece is recognized. */
  readonly written: (bytes: Buffer) => readonly string[];
  /** Lines of it may end with a column that shows the same bytes as text. */
  readonly hasTextColumn?: true;
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
  {
    name: "hex, bytes apart",
    written: (bytes) => bothCases(hex(bytes).join(" ")),
    hasTextColumn: true,
  },
  { name: "hex, colons between", written: (bytes) => bothCases(hex(bytes).join(":")) },
  { name: "hex of a script's string", written: (bytes) => bothCases(hex(bytes).join("\\x")) },
  { name: "hex of a script's list", written: (bytes) => [hex(bytes).join(", 0x"), hex(bytes).join(",0x")] },
  {
    name: "hex in words of two bytes",
    written: (bytes) => inWords(bytes, 2, (word) => word.toString("hex")).flatMap(bothCases),
    hasTextColumn: true,
  },
  {
    name: "hex in words of a little-endian machine",
    written: (bytes) => [2, 4, 8].flatMap((size) => inWords(bytes, size, littleEndianHex)).flatMap(bothCases),
    hasTextColumn: true,
  },
  { name: "hex in words, wide", written: (bytes) => inWords(bytes, 2, littleEndianHex, "    ") },
  {
    name: "octal in words",
    written: (bytes) => [" ", "  "].flatMap((gap) => inWords(bytes, 2, numberIn(8, 6, "0"), gap)),
  },
  { name: "decimal in words", written: (bytes) => inWords(bytes, 2, numberIn(10, 5, " ")) },
  { name: "decimal in words, wide", written: (bytes) => inWords(bytes, 2, numberIn(10, 5, "0"), "   ") },
  {
    name: "bits",
    written: (bytes) => [[...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join(" ")],
    hasTextColumn: true,
  },
  { name: "characters apart", written: (bytes) => [apart([...bytes].map(shown))] },
  { name: "characters by name", written: (bytes) => [apart([...bytes].map((byte) => named(byte & 0x7f)))] },
  {
    name: "octal, bytes apart",
    written: (bytes) => [[...bytes].map((byte) => byte.toString(8).padStart(3, "0")).join(" ")],
    hasTextColumn: true,
  },
  {
    name: "decimal, bytes apart",
    written: (bytes) => [
      ...[" ", ", ", ","].map((gap) => [...bytes].join(gap)),
      [...bytes].map((byte) => String(byte).padStart(3)).join(" "),
    ],
    hasTextColumn: true,
  },
];

const hex = (bytes: Buffer): string[] => bytes.toString("hex").match(/../g) ?? [];
const bothCases = (text: string): readonly string[] => [text, text.toUpperCase().replaceAll("\\X", "\\x")];

/** Words begin at the first byte or, where something stands before it, at a later one. */
function inWords(bytes: Buffer, size: number, print: (word: Buffer) => string, gap = " "): readonly string[] {
  return Array.from({ length: size }, (_, from) => {
    const count = Math.max(0, Math.floor((bytes.length - from) / size));
    const words = Array.from({ length: count }, (_word, at) => from + at * size);
    return words.map((at) => print(bytes.subarray(at, at + size))).join(gap);
  });
}

const littleEndianHex = (word: Buffer): string => Buffer.from(word).reverse().toString("hex");
const numberIn =
  (base: number, digits: number, fill: string) =>
  (word: Buffer): string =>
    word.readUInt16LE().toString(base).padStart(digits, fill);

/** Four columns for each byte. */
const apart = (characters: readonly string[]): string =>
  characters
    .map((text) => text.padStart(3))
    .join(" ")
    .trimStart();

const escapes = ["\\0", "", "", "", "", "", "", "\\a", "\\b", "\\t", "\\n", "\\v", "\\f", "\\r"];
function shown(byte: number): string {
  if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
  return escapes[byte] || byte.toString(8).padStart(3, "0");
}
const names =
  "nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs us sp".split(
    " ",
  );
const named = (byte: number): string => names[byte] ?? (byte === 127 ? "del" : String.fromCharCode(byte));

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
