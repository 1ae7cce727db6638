/** Masks secrets in a stream of bytes. Chunk boundaries do not matter. */
import type { MaskPatterns } from "./patterns.ts";
import { certainLength, createPieceFinder, keyAt, keyLength, type Match } from "./pieces.ts";
import { createTextFinder } from "./texts.ts";

export interface Mask {
  /** Returns the masked bytes so far. Bytes that may begin a secret are held until more arrive. */
  push(chunk: Uint8Array): Buffer;
  /** Returns the held bytes, masked. */
  end(): Buffer;
  /** State from which another mask of the same log can continue. */
  state(): MaskState;
}

export interface MaskState {
  /** Bytes that may begin a secret. */
  readonly held: Buffer;
  /** The bytes before `held` were masked, so an adjacent match continues the same replacement. */
  readonly isMasking: boolean;
}

/** Compiled patterns, which are expensive to make. Any number of logs may share them. */
export interface CompiledMask {
  begin(state?: MaskState): Mask;
}

const replacement = Buffer.from("***");
const nothing = Buffer.alloc(0);

/** Flags of the key table, which is mostly empty. */
const beginsText = 1;
const holdsPiece = 2;

/** Finds matches of both kinds of patterns. */
function createMatcher(patterns: MaskPatterns) {
  const texts = createTextFinder(patterns.texts);
  const pieces = createPieceFinder(patterns.pieces);
  const shift = 32 - Math.min(20, Math.ceil(Math.log2(texts.keys.length + pieces.keys.length + 1)) + 5);
  const table = new Uint8Array(2 ** (32 - shift));
  const slotOf = (key: number): number => Math.imul(key, 0x9e3779b1) >>> shift;
  for (const key of texts.keys) table[slotOf(key)] = beginsText;
  for (const key of pieces.keys) table[slotOf(key)] = (table[slotOf(key)] ?? 0) | holdsPiece;
  function matchAt(text: Buffer, at: number, floor: number, kinds: number, isLast: boolean): Match | null {
    const key = keyAt(text, at);
    const piece = (kinds & holdsPiece) === 0 ? null : pieces.find(text, at, key, floor);
    const whole = (kinds & beginsText) === 0 ? null : texts.find(text, at, key);
    if (!isLast && piece?.isOpen !== true && whole?.isOpen !== true) return longer(piece, whole);
    if (isLast) return longer(piece, whole?.isOpen === true ? texts.findComplete(text, at, key) : whole);
    const open = [piece, whole].filter((match) => match?.isOpen === true);
    return {
      start: Math.min(...open.map((match) => match?.start ?? at)),
      end: at,
      isOpen: true,
      isSecret: false,
    };
  }

  function uncertainFrom(text: Buffer, floor: number): number {
    const until = texts.uncertainFrom(text, floor);
    return Math.min(
      until,
      pieces.uncertainFrom(text, text.length, floor),
      pieces.uncertainFrom(text, until, floor),
    );
  }

  return {
    kindsOf: (key: number): number => table[slotOf(key)] ?? 0,
    matchAt,
    uncertainFrom,
    uncertainPieceFrom: pieces.uncertainFrom,
  };
}

export const createMask = (patterns: MaskPatterns): Mask => compileMask(patterns).begin();

export function compileMask(patterns: MaskPatterns): CompiledMask {
  const matcher = createMatcher(patterns);
  return { begin: (state = { held: nothing, isMasking: false }) => beginMask(matcher, state) };
}

type Matcher = ReturnType<typeof createMatcher>;

function beginMask(matcher: Matcher, state: MaskState): Mask {
  const { kindsOf, matchAt, uncertainFrom, uncertainPieceFrom } = matcher;
  let { held, isMasking } = state;

  /** Masks the certain part and holds the rest. */
  function scan(text: Buffer, isLast: boolean): Buffer {
    const out: Buffer[] = [];
    const last = text.length - keyLength;
    let from = 0;
    let at = 0;
    let until = -1;
    const plain = (to: number) => {
      if (to === from) return;
      out.push(text.subarray(from, to));
      isMasking = false;
    };
    let key = 0;
    let keyEnd = 0;
    while (at <= last) {
      if (keyEnd < at) keyEnd = at;
      while (keyEnd < at + keyLength) key = (key << 8) | (text[keyEnd++] ?? 0);
      const kinds = kindsOf(key);
      const match = kinds === 0 ? null : matchAt(text, at, from, kinds, isLast);
      if (match?.isOpen === true && !isLast) {
        until = match.start;
        break;
      }
      // A match directly after a masked secret continues that secret, even if the match is short.
      const isRest = isMasking && match?.start === from;
      if (match === null || !(match.isSecret || isRest)) {
        // Long blanks match each other without being a secret. The next candidate begins near their end.
        at = Math.max(at + 1, (match?.end ?? 0) - certainLength);
        continue;
      }
      plain(match.start);
      if (!isMasking) out.push(replacement);
      isMasking = true;
      from = match.end;
      at = match.end;
    }
    if (isLast) until = text.length;
    else if (until < 0) until = uncertainFrom(text, from);
    else until = uncertainPieceFrom(text, until, from);
    plain(until);
    held = text.subarray(until);
    return Buffer.concat(out);
  }

  return {
    push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      return scan(held.length === 0 ? bytes : Buffer.concat([held, bytes]), false);
    },
    end: () => scan(held, true),
    state: () => ({ held, isMasking }),
  };
}

function longer(a: Match | null, b: Match | null): Match | null {
  const secrets = [a, b].filter((match) => match?.isSecret === true);
  const [first, second] = secrets;
  if (first == null || second == null) return first ?? a ?? b;
  return { ...first, start: Math.min(first.start, second.start), end: Math.max(first.end, second.end) };
}
