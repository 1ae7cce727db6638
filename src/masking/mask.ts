/** Masks secrets in a stream of bytes, whatever the pieces are that it comes in. */
import type { MaskPatterns } from "./patterns.ts";
import { createPieceFinder, keyAt, keyLength, type Match, sureLength } from "./pieces.ts";

export interface Mask {
  /** What of the bytes so far is certain. What may be the beginning of a secret is held back. */
  push(chunk: Uint8Array): Buffer;
  /** The rest: nothing more comes. */
  end(): Buffer;
  /** What another mask of the same log begins with, to go on where this one is. */
  state(): MaskState;
}

export interface MaskState {
  /** Bytes that came and may be the beginning of a secret. */
  readonly held: Buffer;
  /** The bytes before these were masked: what is masked next belongs to it. */
  readonly isMasking: boolean;
}

/** The tables of a mask, which take long to make: any number of logs may share them. */
export interface CompiledMask {
  begin(state?: MaskState): Mask;
}

export const createMask = (patterns: MaskPatterns): Mask => compileMask(patterns).begin();

const replacement = Buffer.from("***");
const nothing = Buffer.alloc(0);

/** What begins at a key, in a table that is mostly empty. */
const beginsWhole = 1;
const holdsPiece = 2;

export function compileMask(patterns: MaskPatterns): CompiledMask {
  const tables = tablesOf(patterns);
  return { begin: (state = { held: nothing, isMasking: false }) => beginMask(tables, state) };
}

type Tables = ReturnType<typeof tablesOf>;

function tablesOf(patterns: MaskPatterns) {
  const wholes = new Map<number, Buffer[]>();
  /** The first one to three bytes of each whole. */
  const beginnings = new Set<number>();
  for (const text of patterns.wholes) {
    const bytes = Buffer.from(text, "latin1");
    const key = keyAt(bytes, 0);
    const known = wholes.get(key);
    if (known === undefined) wholes.set(key, [bytes]);
    else known.push(bytes);
    for (let length = 1; length < keyLength; length += 1) beginnings.add(beginning(bytes, 0, length));
  }
  const pieces = createPieceFinder(patterns.pieces);
  const shift = 32 - Math.min(20, Math.ceil(Math.log2(wholes.size + pieces.keys.length + 1)) + 5);
  const table = new Uint8Array(2 ** (32 - shift));
  const slotOf = (key: number): number => Math.imul(key, 0x9e3779b1) >>> shift;
  for (const key of wholes.keys()) table[slotOf(key)] = beginsWhole;
  for (const key of pieces.keys) table[slotOf(key)] = (table[slotOf(key)] ?? 0) | holdsPiece;
  return { wholes, beginnings, pieces, table, slotOf };
}

function beginMask({ wholes, beginnings, pieces, table, slotOf }: Tables, state: MaskState): Mask {
  let { held, isMasking } = state;

  /** The longest whole that begins here. */
  function wholeAt(text: Buffer, at: number, key: number): Match | null {
    for (const bytes of wholes.get(key) ?? []) {
      const rest = text.length - at;
      const length = Math.min(bytes.length, rest);
      if (bytes.compare(text, at, at + length, 0, length) !== 0) continue;
      return { start: at, end: at + length, isOpen: bytes.length > rest, isSecret: bytes.length <= rest };
    }
    return null;
  }

  function matchAt(text: Buffer, at: number, floor: number, kinds: number, isLast: boolean): Match | null {
    const key = keyAt(text, at);
    const piece = (kinds & holdsPiece) === 0 ? null : pieces.find(text, at, key, floor);
    const whole = (kinds & beginsWhole) === 0 ? null : wholeAt(text, at, key);
    if (!isLast && piece?.isOpen !== true && whole?.isOpen !== true) return longer(piece, whole);
    if (isLast) return longer(piece, whole?.isOpen === true ? closedWhole(text, at, key) : whole);
    const open = [piece, whole].filter((match) => match?.isOpen === true);
    return {
      start: Math.min(...open.map((match) => match?.start ?? at)),
      end: at,
      isOpen: true,
      isSecret: false,
    };
  }

  /** Nothing more comes: the longest of which all is there. */
  const closedWhole = (text: Buffer, at: number, key: number): Match | null => {
    const bytes = wholes.get(key)?.find((one) => text.indexOf(one, at) === at);
    return bytes === undefined ? null : { start: at, end: at + bytes.length, isOpen: false, isSecret: true };
  };

  /** Gives what is certain, and keeps the rest. */
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
      const kinds = table[slotOf(key)] ?? 0;
      const match = kinds === 0 ? null : matchAt(text, at, from, kinds, isLast);
      if (match?.isOpen === true && !isLast) {
        until = match.start;
        break;
      }
      // What goes on where a secret has just been masked is the rest of it, even if it is short.
      const isRest = isMasking && match?.start === from;
      if (match === null || !(match.isSecret || isRest)) {
        // Long blanks of a document match long ones of the log: what is left to see begins near their end.
        at = Math.max(at + 1, (match?.end ?? 0) - sureLength);
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
    else until = pieces.uncertainFrom(text, until, from);
    plain(until);
    held = text.subarray(until);
    return Buffer.concat(out);
  }

  function uncertainFrom(text: Buffer, floor: number): number {
    let until = text.length;
    for (let at = Math.max(floor, text.length - keyLength + 1); at < until; at += 1)
      if (beginnings.has(beginning(text, at, text.length - at))) until = at;
    return Math.min(
      until,
      pieces.uncertainFrom(text, text.length, floor),
      pieces.uncertainFrom(text, until, floor),
    );
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

/** At most three bytes, and how many they are, as one number. */
const beginning = (text: Buffer, at: number, length: number): number =>
  length * 2 ** 24 + text.readUIntBE(at, length);

function longer(a: Match | null, b: Match | null): Match | null {
  const secrets = [a, b].filter((match) => match?.isSecret === true);
  const [first, second] = secrets;
  if (first == null || second == null) return first ?? a ?? b;
  return { ...first, start: Math.min(first.start, second.start), end: Math.max(first.end, second.end) };
}
