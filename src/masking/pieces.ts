/** Finds pieces of encoded values in a text and follows them across line breaks. */
import type { PiecePattern } from "./patterns.ts";
import { isSeparator, NGrams, PlaceTable } from "./piece-tables.ts";

/** A range of the text. `isOpen`: the text ends within the match, so more of it may follow. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly isOpen: boolean;
  /** The match is long enough to be part of a secret. */
  readonly isSecret: boolean;
}

export interface PieceFinder {
  /** Keys (`keyAt`) that `find` knows. */
  readonly keys: readonly number[];
  /** Finds the longest match around the four bytes at `at` that begins at `floor` or later. */
  find(text: Buffer, at: number, key: number, floor: number): Match | null;
  /** Returns the offset from which the text before `end` may be the beginning of a piece. */
  uncertainFrom(text: Buffer, end: number, floor: number): number;
}

/** A key is four bytes as one number. */
export const keyLength = 4;
export const keyAt = (text: Buffer, at: number): number => text.readInt32BE(at);

/** Every eight consecutive characters contain one complete key, because each fifth place of a pattern is a key. */
const stride = 5;
export const certainLength = stride + keyLength - 1;
/** Four blanks are no key, because they are common. */
const blanks = 0x20202020;

interface Place {
  readonly pattern: PiecePattern;
  readonly bytes: Buffer;
  readonly at: number;
}

export function createPieceFinder(patterns: readonly PiecePattern[]): PieceFinder {
  const texts = patterns.map(({ text }) => Buffer.from(text, "latin1"));
  const places = new PlaceTable();
  const grams = new NGrams(patterns.reduce((sum, { text }) => sum + text.length, 0));
  for (const [index, bytes] of texts.entries()) {
    grams.add(bytes);
    for (let at = 0; at + keyLength <= bytes.length; at += stride) {
      const key = keyAt(bytes, at);
      if (key !== blanks) places.add(key, index, at);
    }
  }
  return {
    keys: places.keys(),
    find(text, at, key, floor) {
      let best: Match | null = null;
      for (let entry = places.first(key); entry !== 0; entry = places.next(entry)) {
        const index = places.patternOf(entry);
        const [pattern, bytes] = [patterns[index], texts[index]];
        if (pattern === undefined || bytes === undefined) continue;
        const place: Place = { pattern, bytes, at: places.placeOf(entry) };
        if (!isInRow(place, text, at, floor)) continue;
        const match = extend(place, text, at, floor);
        if (best === null || rank(match) > rank(best)) best = match;
      }
      return best;
    },
    uncertainFrom(text, end, floor) {
      // Programs wrap lines at a few dozen characters, so a short rest before a line break is no piece.
      const isBroken = end > 0 && text[end - 1] === 10;
      const last = isBroken ? end - (text[end - 2] === 13 ? 2 : 1) : end;
      for (
        let from = Math.max(floor, last - certainLength + 1);
        from < last - (isBroken ? keyLength - 1 : 0);
        from += 1
      )
        if (grams.mayContain(text, from, last)) return from;
      return end;
    },
  };
}

/** True if enough consecutive characters match the pattern, or may do so when more text follows. */
function isInRow({ bytes, at: offset }: Place, text: Buffer, at: number, floor: number): boolean {
  let start = 0;
  while (
    start < stride &&
    at - start > floor &&
    offset > start &&
    text[at - start - 1] === bytes[offset - start - 1]
  )
    start += 1;
  let end = keyLength;
  while (end < certainLength && at + end < text.length && text[at + end] === bytes[offset + end]) end += 1;
  return start + end >= certainLength || at + end === text.length;
}

const rank = ({ start, end, isOpen, isSecret }: Match): number =>
  end - start + (isOpen || isSecret ? 1_000_000 : 0);

/** Extends the match of the four bytes at `at` to both sides. */
function extend({ pattern, bytes, at: offset }: Place, text: Buffer, at: number, floor: number): Match {
  const before = backward(bytes, offset, text, at, floor);
  const after = forward(bytes, offset + keyLength, text, at + keyLength);
  const isSecret =
    after.offset - before.offset >= pattern.minLength && pattern.isSignificant(before.offset, after.offset);
  const match = { start: before.at, end: after.at, isOpen: after.isOpen, isSecret };
  return isSecret && pattern.hasTextColumn && !after.isOpen ? withTextColumn(match, text) : match;
}

/** Rest of a dump's line after the value's last bytes: other bytes, a gap, and the text column. */
const textColumn = /^[0-9a-f]*(?: +[0-9a-f]+)* {2,}[^\r\n]{1,18}(?=\r?\n)/i;
const openTextColumn = /^[0-9a-f]*(?: +[0-9a-f]+)*(?: *| {2,}[^\r\n]{1,18}\r?)$/i;
const maxRest = 160;

/** Extends a match over the text column, which shows the value again. */
function withTextColumn(match: Match, text: Buffer): Match {
  const rest = text.toString("latin1", match.end, match.end + maxRest);
  if (rest.length < maxRest && openTextColumn.test(rest)) return { ...match, isOpen: true };
  return { ...match, end: match.end + (textColumn.exec(rest)?.[0].length ?? 0) };
}

/** Number of characters after a line break that must match, so that the next line does not match by chance. */
const minAfterBreak = 4;

function forward(bytes: Buffer, from: number, text: Buffer, start: number) {
  let offset = from;
  let at = start;
  for (;;) {
    while (at < text.length && offset < bytes.length && text[at] === bytes[offset]) {
      at += 1;
      offset += 1;
    }
    if (offset === bytes.length) return { offset, at, isOpen: false };
    if (at === text.length) return { offset, at, isOpen: true };
    const rest = text.toString("latin1", at, at + 64);
    if (at + rest.length === text.length && openBreak.test(rest)) return { offset, at, isOpen: true };
    const jump = jumpOverBreak(bytes, offset, text, at, rest);
    if (jump === null) return { offset, at, isOpen: false };
    if (jump.isOpen) return { offset, at, isOpen: true };
    ({ at, offset } = jump);
  }
}

function jumpOverBreak(bytes: Buffer, from: number, text: Buffer, start: number, rest: string) {
  const ends = breaks
    .map((pattern) => start + (pattern.exec(rest)?.[0].length ?? 0))
    .filter((to) => to > start);
  if (ends.length === 0) return null;
  // A comma or colon either separates encoded bytes or belongs to the value.
  for (const isPassed of [isSeparator, isBlank]) {
    let offset = from;
    while (offset < bytes.length && isPassed(bytes[offset])) offset += 1;
    const wanted = bytes.subarray(offset, offset + minAfterBreak);
    if (wanted.length === 0) continue;
    const at = ends.find((to) => wanted.indexOf(text.subarray(to, to + wanted.length)) === 0);
    if (at !== undefined) return { at, offset, isOpen: at + wanted.length > text.length };
  }
  return null;
}

/** Extends a match backward over blanks and line breaks. A match of a line with offsets is found in that line itself. */
function backward(bytes: Buffer, from: number, text: Buffer, start: number, floor: number) {
  let offset = from;
  let at = start;
  for (;;) {
    while (at > floor && offset > 0 && text[at - 1] === bytes[offset - 1]) {
      at -= 1;
      offset -= 1;
    }
    let to = at;
    while (to > floor && isBlank(text[to - 1])) to -= 1;
    let next = offset;
    while (next > 0 && isSeparator(bytes[next - 1])) next -= 1;
    const wanted = bytes.subarray(Math.max(0, next - minAfterBreak), next);
    const goesOn = to - wanted.length >= floor && text.subarray(to - wanted.length, to).equals(wanted);
    if (to === at || wanted.length === 0 || !goesOn) return { offset, at };
    at = to;
    offset = next;
  }
}

const isBlank = (byte: number | undefined): boolean =>
  byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);

/** Texts between two lines of one value: of a dump with offsets, of a wrapped text, of an escaped one, and column gaps. */
const breaks = [
  /^[ \t]*[|>]?[^\r\n]{0,17}\|?[ \t]*\r?\n[0-9a-f]{6,8}:?[ \t]+/,
  /^[ \t]*\r?\n[ \t]*/,
  /^(?:\\r)?\\n/,
  /^[ \t]+/,
];
/** Matches a text that ends within a break. */
const openBreak = /^[ \t]*[|>]?[^\r\n]{0,17}\|?[ \t]*(?:\r?(?:\n(?:[ \t]*|[0-9a-f]{1,8}:?[ \t]*))?)?$/;
