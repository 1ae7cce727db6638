/** Builds the patterns of the mask: all forms and encodings of the secret values, as latin1 byte strings. */
import { encodings, minBytes } from "./encodings.ts";
import { forms, latin1 } from "./forms.ts";
import { isSignificant, secretTexts } from "./secret-text.ts";

export interface MaskPatterns {
  /** Distinct texts of at least four bytes, longest first. Only a complete one is masked. */
  readonly texts: readonly string[];
  /** Encoded texts of which any piece of `minLength` characters is masked. */
  readonly pieces: readonly PiecePattern[];
}

export interface PiecePattern {
  readonly text: string;
  /** Minimum number of characters that count as evidence. */
  readonly minLength: number;
  /** True if the piece between two offsets can be a secret. Indentation cannot. */
  readonly isSignificant: (from: number, to: number) => boolean;
  readonly hasTextColumn: boolean;
}

/** Minimum length of an encoded text. */
const minEncodedLength = 6;
/** Minimum length of a piece pattern: a line break leaves a part that is long enough to be found alone. */
const minPieceLength = 16;
/**
 * Maximum size of a value that all forms and encodings apply to. Longer values use the common ones only, because all
 * patterns of a long value would take hundreds of megabytes and seconds.
 */
const maxThoroughBytes = 8192;
/** Maximum length of a text. Longer texts are split, so that the mask notices a mismatch early. */
const maxTextLength = 256;

export function maskPatterns(values: readonly string[]): MaskPatterns {
  const wholes = new Set<string>();
  const pieces = new Map<string, PiecePattern>();
  for (const value of values) {
    const bytes = Buffer.from(value, "utf8");
    const applies = ({ isCommon }: { readonly isCommon?: true }) =>
      bytes.length <= maxThoroughBytes || isCommon === true;
    const usedForms = forms.filter(applies);
    for (const text of secretTexts(value)) {
      for (const { encode } of usedForms) {
        for (const form of encode(text)) {
          if (form.length >= minEncodedLength || form === latin1(text))
            for (const part of partsOf(form)) wholes.add(part);
        }
      }
    }
    for (const { encode, hasTextColumn = false } of encodings.filter(applies)) {
      for (const text of encode(bytes)) {
        if (text.length >= minPieceLength) pieces.set(text, pieceOf(text, bytes, hasTextColumn));
        else if (text.length >= minEncodedLength) for (const broken of brokenForms(text)) wholes.add(broken);
      }
    }
  }
  return {
    texts: [...wholes].filter((text) => text.length >= 4).sort((a, b) => b.length - a.length),
    pieces: [...pieces.values()],
  };
}

function partsOf(text: string): readonly string[] {
  if (text.length <= maxTextLength) return [text];
  const count = Math.ceil(text.length / maxTextLength);
  const length = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, part) => text.slice(part * length, (part + 1) * length));
}

/** Returns the text, and the text with a line break at each offset. */
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
    minLength: Math.min(text.length, Math.ceil(minBytes / scale)),
    isSignificant: (from, to) =>
      !isDocument || isSignificant(bytes.toString("utf8", Math.floor(from * scale), Math.ceil(to * scale))),
  };
}
