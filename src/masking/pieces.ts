/** Finds pieces of encoded values in a text, and follows them across line breaks. */
import type { PiecePattern } from "./patterns.ts";
import { Grams, isSeparator, PlaceTable } from "./piece-tables.ts";

/** A stretch of the text. `isOpen`: the text ends before the match does, so more of it may come. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly isOpen: boolean;
  /** Whether it is long enough to be a secret's. */
  readonly isSecret: boolean;
}

export interface PieceFinder {
  /** Keys (`keyAt`) that are to be asked about. */
  readonly keys: readonly number[];
  /** The longest match around the four bytes here, which begins at `floor` or later. */
  find(text: Buffer, at: number, key: number, floor: number): Match | null;
  /** Where the text before `end` may begin to be a piece that has not come so far that `find` knows it. */
  uncertainFrom(text: Buffer, end: number, floor: number): number;
}

/** Four bytes as one number. */
export const keyLength = 4;
export const keyAt = (text: Buffer, at: number): number => text.readInt32BE(at);

/** Eight characters in a row hold at least one place of these, with all four bytes of its key. */
const stride = 5;
export const sureLength = stride + keyLength - 1;
/** Four blanks: they are everywhere. */
const blanks = 0x20202020;

interface Place {
  readonly pattern: PiecePattern;
  readonly bytes: Buffer;
  readonly at: number;
}

export function createPieceFinder(patterns: readonly PiecePattern[]): PieceFinder {
  const texts = patterns.map(({ text }) => Buffer.from(text, "latin1"));
  const places = new PlaceTable();
  const grams = new Grams(patterns.reduce((sum, { text }) => sum + text.length, 0));
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
        const match = around(place, text, at, floor);
        if (best === null || rank(match) > rank(best)) best = match;
      }
      return best;
    },
    uncertainFrom(text, end, floor) {
      // Lines are wrapped at a few dozen characters: a shorter rest before a line break is no piece.
      const isBroken = end > 0 && text[end - 1] === 10;
      const last = isBroken ? end - (text[end - 2] === 13 ? 2 : 1) : end;
      for (
        let from = Math.max(floor, last - sureLength + 1);
        from < last - (isBroken ? keyLength - 1 : 0);
        from += 1
      )
        if (grams.mayHold(text, from, last)) return from;
      return end;
    },
  };
}

/** Whether enough characters in a row are the pattern's, or may become so. Of a match one row at least is that long. */
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
  while (end < sureLength && at + end < text.length && text[at + end] === bytes[offset + end]) end += 1;
  return start + end >= sureLength || at + end === text.length;
}

const rank = ({ start, end, isOpen, isSecret }: Match): number =>
  end - start + (isOpen || isSecret ? 1_000_000 : 0);

/** Extends the four bytes at `at` to both sides. */
function around({ pattern, bytes, at: offset }: Place, text: Buffer, at: number, floor: number): Match {
  const before = backward(bytes, offset, text, at, floor);
  const after = forward(bytes, offset + keyLength, text, at + keyLength);
  const isSecret =
    after.offset - before.offset >= pattern.least && pattern.isTelling(before.offset, after.offset);
  const match = { start: before.at, end: after.at, isOpen: after.isOpen, isSecret };
  return isSecret && pattern.hasTextColumn && !after.isOpen ? withTextColumn(match, text) : match;
}

/** Behind the last bytes of a value in a line of a dump: those that follow, a gap, and all of them as text. */
const textColumn = /^[0-9a-f]*(?: +[0-9a-f]+)* {2,}[^\r\n]{1,18}(?=\r?\n)/i;
const openTextColumn = /^[0-9a-f]*(?: +[0-9a-f]+)*(?: *| {2,}[^\r\n]{1,18}\r?)$/i;
const longestRest = 160;

/** The column shows the value once more, at whatever place of the line it begins. */
function withTextColumn(match: Match, text: Buffer): Match {
  const rest = text.toString("latin1", match.end, match.end + longestRest);
  if (rest.length < longestRest && openTextColumn.test(rest)) return { ...match, isOpen: true };
  return { ...match, end: match.end + (textColumn.exec(rest)?.[0].length ?? 0) };
}

/** So many characters must go on behind a line break, that its next line is not taken for more of the value by chance. */
const leastBehindBreak = 4;

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
    const jump = jumpBehindBreak(bytes, offset, text, at, rest);
    if (jump === null) return { offset, at, isOpen: false };
    if (jump.isOpen) return { offset, at, isOpen: true };
    ({ at, offset } = jump);
  }
}

function jumpBehindBreak(bytes: Buffer, from: number, text: Buffer, start: number, rest: string) {
  const ends = breaks
    .map((pattern) => start + (pattern.exec(rest)?.[0].length ?? 0))
    .filter((to) => to > start);
  if (ends.length === 0) return null;
  // A comma or a colon separates encoded bytes, or is one of the value's own characters.
  for (const isPassed of [isSeparator, isBlank]) {
    let offset = from;
    while (offset < bytes.length && isPassed(bytes[offset])) offset += 1;
    const wanted = bytes.subarray(offset, offset + leastBehindBreak);
    if (wanted.length === 0) continue;
    const at = ends.find((to) => wanted.indexOf(text.subarray(to, to + wanted.length)) === 0);
    if (at !== undefined) return { at, offset, isOpen: at + wanted.length > text.length };
  }
  return null;
}

/** Backward only blanks and line breaks are passed: what begins in a line with a column of offsets is found there. */
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
    const wanted = bytes.subarray(Math.max(0, next - leastBehindBreak), next);
    const goesOn = to - wanted.length >= floor && text.subarray(to - wanted.length, to).equals(wanted);
    if (to === at || wanted.length === 0 || !goesOn) return { offset, at };
    at = to;
    offset = next;
  }
}

const isBlank = (byte: number | undefined): boolean =>
  byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);

/** Between two lines of one text: of a dump with its offsets and perhaps its characters, of a wrapped text; a column's gap. */
const breaks = [
  /^[ \t]*[|>]?[^\r\n]{0,17}\|?[ \t]*\r?\n[0-9a-f]{6,8}:?[ \t]+/,
  /^[ \t]*\r?\n[ \t]*/,
  /^(?:\\r)?\\n/,
  /^[ \t]+/,
];
/** The text ends where such a break may be going on. */
const openBreak = /^[ \t]*[|>]?[^\r\n]{0,17}\|?[ \t]*(?:\r?(?:\n(?:[ \t]*|[0-9a-f]{1,8}:?[ \t]*))?)?$/;
