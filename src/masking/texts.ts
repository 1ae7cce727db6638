/** Finds whole texts by their first four bytes. */
import { keyAt, keyLength, type Match } from "./pieces.ts";

export interface TextFinder {
  /** First four bytes (`keyAt`) of each text. */
  readonly keys: readonly number[];
  /** Finds the longest text that begins here. The match is open if the end of `text` cuts it. */
  find(text: Buffer, at: number, key: number): Match | null;
  /** Finds the longest text that is here completely. */
  findComplete(text: Buffer, at: number, key: number): Match | null;
  /** Returns the offset from which the last bytes may begin a text. */
  uncertainFrom(text: Buffer, floor: number): number;
}

/** @param texts latin1 byte strings, longest first */
export function createTextFinder(texts: readonly string[]): TextFinder {
  const byKey = new Map<number, Buffer[]>();
  /** First one to three bytes of each text. */
  const beginnings = new Set<number>();
  for (const text of texts) {
    const bytes = Buffer.from(text, "latin1");
    const key = keyAt(bytes, 0);
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [bytes]);
    else known.push(bytes);
    for (let length = 1; length < keyLength; length += 1) beginnings.add(beginning(bytes, 0, length));
  }
  return {
    keys: [...byKey.keys()],
    find(text, at, key) {
      for (const bytes of byKey.get(key) ?? []) {
        const rest = text.length - at;
        const length = Math.min(bytes.length, rest);
        if (bytes.compare(text, at, at + length, 0, length) !== 0) continue;
        return { start: at, end: at + length, isOpen: bytes.length > rest, isSecret: bytes.length <= rest };
      }
      return null;
    },
    findComplete(text, at, key) {
      const bytes = byKey.get(key)?.find((one) => text.indexOf(one, at) === at);
      return bytes === undefined
        ? null
        : { start: at, end: at + bytes.length, isOpen: false, isSecret: true };
    },
    uncertainFrom(text, floor) {
      let until = text.length;
      for (let at = Math.max(floor, text.length - keyLength + 1); at < until; at += 1)
        if (beginnings.has(beginning(text, at, text.length - at))) until = at;
      return until;
    },
  };
}

/** Packs up to three bytes and their count into one number. */
const beginning = (text: Buffer, at: number, length: number): number =>
  length * 2 ** 24 + text.readUIntBE(at, length);
