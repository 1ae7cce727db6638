/** What a log is searched for: the values in all of their forms. Byte strings as latin1. */
import { encodings, leastBytes } from "./encodings.ts";
import { forms, latin1 } from "./forms.ts";
import { isTelling, secretTexts } from "./secret-text.ts";

export interface MaskPatterns {
  /** Are masked when all of it is there. Longest first, each once, of at least four bytes. */
  readonly wholes: readonly string[];
  /** Are masked from a few bytes on, wherever they begin. */
  readonly pieces: readonly PiecePattern[];
}

export interface PiecePattern {
  readonly text: string;
  /** So many characters of it are evidence. */
  readonly least: number;
  /** Whether the piece between these two places says anything. Indentation is no secret. */
  readonly isTelling: (from: number, to: number) => boolean;
  readonly hasTextColumn: boolean;
}

/** Encoded text that is shorter is no evidence. */
const shortestEncoded = 6;
/** From here on a text has a part that is long enough to be found by itself, whatever line break is in it. */
const shortestPieces = 16;
/**
 * Values of more bytes are looked for in usual forms and encodings alone: in all of them they would fill hundreds of
 * megabytes, and seconds pass until a log is masked.
 */
const longestThorough = 8192;
/** Longer texts are masked part by part, so that a near miss is noticed soon. */
const longestWhole = 256;

export function maskPatterns(values: readonly string[]): MaskPatterns {
  const wholes = new Set<string>();
  const pieces = new Map<string, PiecePattern>();
  for (const value of values) {
    const bytes = Buffer.from(value, "utf8");
    const isSought = ({ isUsual }: { readonly isUsual?: true }) =>
      bytes.length <= longestThorough || isUsual === true;
    const soughtForms = forms.filter(isSought);
    for (const text of secretTexts(value)) {
      for (const { written } of soughtForms) {
        for (const form of written(text)) {
          if (form.length >= shortestEncoded || form === latin1(text))
            for (const part of partsOf(form)) wholes.add(part);
        }
      }
    }
    for (const { written, hasTextColumn = false } of encodings.filter(isSought)) {
      for (const text of written(bytes)) {
        if (text.length >= shortestPieces) pieces.set(text, pieceOf(text, bytes, hasTextColumn));
        else if (text.length >= shortestEncoded) for (const broken of brokenForms(text)) wholes.add(broken);
      }
    }
  }
  return {
    wholes: [...wholes].filter((text) => text.length >= 4).sort((a, b) => b.length - a.length),
    pieces: [...pieces.values()],
  };
}

function partsOf(text: string): readonly string[] {
  if (text.length <= longestWhole) return [text];
  const count = Math.ceil(text.length / longestWhole);
  const length = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, part) => text.slice(part * length, (part + 1) * length));
}

/** As it is, and with a line break anywhere. */
function brokenForms(text: string): readonly string[] {
  const places = Array.from({ length: text.length - 1 }, (_, at) => at + 1);
  const broken = places.flatMap((at) =>
    ["\n", "\r\n"].map((end) => text.slice(0, at) + end + text.slice(at)),
  );
  return [text, ...broken];
}

function pieceOf(text: string, bytes: Buffer, hasTextColumn: boolean): PiecePattern {
  const scale = bytes.length / text.length;
  const isDocument = bytes.includes("\n");
  return {
    text,
    hasTextColumn,
    least: Math.min(text.length, Math.ceil(leastBytes / scale)),
    isTelling: (from, to) =>
      !isDocument || isTelling(bytes.toString("utf8", Math.floor(from * scale), Math.ceil(to * scale))),
  };
}
