/** Masks patterns in a stream of bytes, whatever the pieces are that it comes in. */

export interface Mask {
  /** What of the bytes so far is certain. What may be the beginning of a pattern is held back. */
  push(chunk: Uint8Array): Buffer;
  /** The rest: nothing more comes. */
  end(): Buffer;
}

const replacement = "***";
/** Patterns are found by so many first bytes, and none is shorter. */
const keyLength = 4;

/** @param patterns byte strings as latin1, the longest first, of at least four bytes */
export function createMask(patterns: readonly string[]): Mask {
  const longest = patterns[0]?.length ?? 0;
  const firstBytes = new Uint8Array(256);
  const byKey = new Map<string, string[]>();
  for (const pattern of patterns) {
    firstBytes[pattern.charCodeAt(0)] = 1;
    const key = pattern.slice(0, keyLength);
    byKey.set(key, [...(byKey.get(key) ?? []), pattern]);
  }
  let held = "";

  const candidates = (text: string, at: number): readonly string[] =>
    firstBytes[text.charCodeAt(at)] === 1 ? (byKey.get(text.slice(at, at + keyLength)) ?? []) : [];

  /** From where on the text may go on to be a pattern that has not come to its end. */
  function uncertainFrom(text: string): number {
    for (let at = Math.max(0, text.length - longest + 1); at < text.length; at += 1) {
      const rest = text.length - at;
      const possible = rest < keyLength ? patterns : candidates(text, at);
      if (possible.some((pattern) => pattern.length > rest && pattern.startsWith(text.slice(at)))) return at;
    }
    return text.length;
  }

  /** The longest pattern that begins here. */
  const matchAt = (text: string, at: number): string | undefined =>
    candidates(text, at).find((pattern) => text.startsWith(pattern, at));

  function take(text: string, until: number): Buffer {
    let out = "";
    let from = 0;
    let at = 0;
    while (at < until) {
      const match = matchAt(text, at);
      if (match === undefined) {
        at += 1;
        continue;
      }
      out += text.slice(from, at) + replacement;
      at += match.length;
      from = at;
    }
    out += text.slice(from, at);
    held = text.slice(at);
    return Buffer.from(out, "latin1");
  }

  return {
    push(chunk) {
      const text = held + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("latin1");
      return take(text, uncertainFrom(text));
    },
    end: () => take(held, held.length),
  };
}
