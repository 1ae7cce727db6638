/**
 * Encodings of which each piece can be decoded alone, such as one line of base64 or hex. The mask searches a log for
 * pieces of them and follows a piece across line breaks.
 */

export interface Encoding {
  readonly name: string;
  /** Returns all texts that programs may print for the bytes. */
  readonly encode: (bytes: Buffer) => readonly string[];
  /** A line may end with a column that shows the same bytes as text. */
  readonly hasTextColumn?: true;
  /** Applies to long values, too. */
  readonly isCommon?: true;
}

/** Minimum length of a piece. A shorter piece may match by chance. */
export const minBytes = 10;

/** Text of each byte value. */
const byteTable = (print: (byte: number) => string): readonly string[] =>
  Array.from({ length: 256 }, (_, byte) => print(byte));
const hexes = byteTable((byte) => byte.toString(16).padStart(2, "0"));
const octals = byteTable((byte) => byte.toString(8).padStart(3, "0"));
const decimals = byteTable(String);
const bits = byteTable((byte) => byte.toString(2).padStart(8, "0"));

export const encodings: readonly Encoding[] = [
  { name: "base64", encode: (bytes) => base64(bytes), isCommon: true },
  {
    name: "base64 for URLs",
    encode: (bytes) => base64(bytes).map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
    isCommon: true,
  },
  { name: "hex", encode: (bytes) => bothCases(bytes.toString("hex")), isCommon: true },
  {
    name: "hex, separated bytes",
    encode: (bytes) => bothCases(joined(bytes, hexes, " ")),
    hasTextColumn: true,
    isCommon: true,
  },
  { name: "hex, colons between", encode: (bytes) => bothCases(joined(bytes, hexes, ":")) },
  { name: "hex of a script's string", encode: (bytes) => bothCases(joined(bytes, hexes, "\\x")) },
  {
    name: "hex of a list in a script",
    encode: (bytes) => [", 0x", ",0x"].map((gap) => joined(bytes, hexes, gap)),
  },
  {
    name: "hex in words of two bytes",
    encode: (bytes) => inWords(bytes, 2, bigEndianHex).flatMap(bothCases),
    hasTextColumn: true,
    isCommon: true,
  },
  {
    name: "hex in words of a little-endian machine",
    encode: (bytes) => [2, 4, 8].flatMap((size) => inWords(bytes, size, littleEndianHex)).flatMap(bothCases),
    hasTextColumn: true,
  },
  { name: "hex in words, wide", encode: (bytes) => inWords(bytes, 2, littleEndianHex, "    ") },
  {
    name: "octal in words",
    encode: (bytes) => [" ", "  "].flatMap((gap) => inWords(bytes, 2, numberIn(8, 6, "0"), gap)),
  },
  { name: "decimal in words", encode: (bytes) => inWords(bytes, 2, numberIn(10, 5, " ")) },
  { name: "decimal in words, wide", encode: (bytes) => inWords(bytes, 2, numberIn(10, 5, "0"), "   ") },
  { name: "bits", encode: (bytes) => [joined(bytes, bits, " ")], hasTextColumn: true },
  { name: "separated characters", encode: (bytes) => [joined(bytes, shownCharacters, " ").trimStart()] },
  { name: "characters by name", encode: (bytes) => [joined(bytes, namedCharacters, " ").trimStart()] },
  { name: "octal, separated bytes", encode: (bytes) => [joined(bytes, octals, " ")], hasTextColumn: true },
  {
    name: "decimal, separated bytes",
    encode: (bytes) => [
      ...[" ", ", ", ","].map((gap) => joined(bytes, decimals, gap)),
      joined(bytes, paddedDecimals, " "),
    ],
    hasTextColumn: true,
  },
];

const paddedDecimals = decimals.map((text) => text.padStart(3));

/** Appends to one string, which is several times faster than joining a list of texts. */
function joined(bytes: Buffer, table: readonly string[], gap: string): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 1) text += gap + (table[bytes[at] ?? 0] ?? "");
  return text.slice(gap.length);
}

const bothCases = (text: string): readonly string[] => [text, text.toUpperCase().replaceAll("\\X", "\\x")];

/** Prints the word of `size` bytes that begins at an offset. */
type WordPrinter = (bytes: Buffer, at: number, size: number) => string;

/** Returns one text per alignment, because other bytes may precede the value. */
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
/** Each byte fills four columns. */
const shownCharacters = byteTable((byte) => shown(byte).padStart(3));
const namedCharacters = byteTable((byte) => named(byte & 0x7f).padStart(3));

/**
 * Base64 of a text that contains the value (`user:password`). The digits depend on the number of preceding bytes, modulo
 * three. The digits at both ends depend on the neighbours, too, so they are left out.
 */
function base64(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((before) => {
    const all = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    return all.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3));
  });
}
