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
  /** Long values are looked for in it as well. */
  readonly isUsual?: true;
}

/** Pieces of fewer bytes are no evidence of the value. */
export const leastBytes = 10;

/** Each byte as text. */
const byteTable = (print: (byte: number) => string): readonly string[] =>
  Array.from({ length: 256 }, (_, byte) => print(byte));
const hexes = byteTable((byte) => byte.toString(16).padStart(2, "0"));
const octals = byteTable((byte) => byte.toString(8).padStart(3, "0"));
const decimals = byteTable(String);
const bits = byteTable((byte) => byte.toString(2).padStart(8, "0"));

export const encodings: readonly Encoding[] = [
  { name: "base64", written: (bytes) => base64(bytes), isUsual: true },
  {
    name: "base64 for URLs",
    written: (bytes) => base64(bytes).map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
    isUsual: true,
  },
  { name: "hex", written: (bytes) => bothCases(bytes.toString("hex")), isUsual: true },
  {
    name: "hex, bytes apart",
    written: (bytes) => bothCases(joined(bytes, hexes, " ")),
    hasTextColumn: true,
    isUsual: true,
  },
  { name: "hex, colons between", written: (bytes) => bothCases(joined(bytes, hexes, ":")) },
  { name: "hex of a script's string", written: (bytes) => bothCases(joined(bytes, hexes, "\\x")) },
  {
    name: "hex of a script's list",
    written: (bytes) => [", 0x", ",0x"].map((gap) => joined(bytes, hexes, gap)),
  },
  {
    name: "hex in words of two bytes",
    written: (bytes) => inWords(bytes, 2, bigEndianHex).flatMap(bothCases),
    hasTextColumn: true,
    isUsual: true,
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
  { name: "bits", written: (bytes) => [joined(bytes, bits, " ")], hasTextColumn: true },
  { name: "characters apart", written: (bytes) => [joined(bytes, shownCharacters, " ").trimStart()] },
  { name: "characters by name", written: (bytes) => [joined(bytes, namedCharacters, " ").trimStart()] },
  { name: "octal, bytes apart", written: (bytes) => [joined(bytes, octals, " ")], hasTextColumn: true },
  {
    name: "decimal, bytes apart",
    written: (bytes) => [
      ...[" ", ", ", ","].map((gap) => joined(bytes, decimals, gap)),
      joined(bytes, paddedDecimals, " "),
    ],
    hasTextColumn: true,
  },
];

const paddedDecimals = decimals.map((text) => text.padStart(3));

/** Appends to one string: a list of a text for each byte costs several times as much. */
function joined(bytes: Buffer, table: readonly string[], gap: string): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 1) text += gap + (table[bytes[at] ?? 0] ?? "");
  return text.slice(gap.length);
}

const bothCases = (text: string): readonly string[] => [text, text.toUpperCase().replaceAll("\\X", "\\x")];

/** Prints the word of `size` bytes that begins at a place. */
type WordPrinter = (bytes: Buffer, at: number, size: number) => string;

/** Words begin at the first byte or, where something stands before it, at a later one. */
function inWords(bytes: Buffer, size: number, print: WordPrinter, gap = " "): readonly string[] {
  return Array.from({ length: size }, (_, from) => {
    let text = "";
    for (let at = from; at + size <= bytes.length; at += size) text += gap + print(bytes, at, size);
    return text.slice(gap.length);
  });
}

const bigEndianHex: WordPrinter = (bytes, at) =>
  (hexes[bytes[at] ?? 0] ?? "") + (hexes[bytes[at + 1] ?? 0] ?? "");
const littleEndianHex: WordPrinter = (bytes, at, size) => {
  let text = "";
  for (let byte = at + size - 1; byte >= at; byte -= 1) text += hexes[bytes[byte] ?? 0] ?? "";
  return text;
};
const numberIn =
  (base: number, digits: number, fill: string): WordPrinter =>
  (bytes, at) =>
    bytes.readUInt16LE(at).toString(base).padStart(digits, fill);

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
/** Four columns for each byte. */
const shownCharacters = byteTable((byte) => shown(byte).padStart(3));
const namedCharacters = byteTable((byte) => named(byte & 0x7f).padStart(3));

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
