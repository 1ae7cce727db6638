/**
 * Patterns of declared outputs: `*` and `?` within one part of a path, `**` for any number of parts, `[abc]`, `[!a-z]`,
 * `{one,two}`. A backslash takes the next character as it is. Names that begin with a dot are matched like others.
 *
 * A pattern becomes a nondeterministic automaton with at most a few states per character, and matching keeps the set of
 * its active states. So the work is bounded by the length of the pattern times the length of the path, whatever either
 * holds: a regular expression would backtrack, and a step could stop the server with one pattern and one file name.
 */

/** The active states after some text. */
export type Progress = readonly number[];

export interface Pattern {
  /** The progress before the first character. */
  readonly start: Progress;
  /** The progress after more text; null when nothing that begins with this text can match. */
  advance(progress: Progress, text: string): Progress | null;
  /** True when the text so far is a whole match. */
  accepts(progress: Progress): boolean;
  /** Transitions taken by all calls so far. */
  readonly steps: number;
}

/** True when the text means more than itself. */
export function isPattern(text: string): boolean {
  return /[*?[{\\]/.test(text);
}

/** The leading parts that are literal, so that only what lies below them is walked. */
export function literalPrefix(pattern: string): string {
  const parts = pattern.split("/");
  const end = parts.findIndex(isPattern);
  return parts.slice(0, end < 0 ? parts.length : end).join("/");
}

/** Compiles one pattern to a matcher over a whole relative path. */
export function compilePattern(pattern: string): Pattern {
  const states: State[] = [];
  const first = add(states);
  const [last] = parse(pattern, { states, closing: "", from: first, at: 0 });
  return matcher(states, first, last);
}

/** Has one transition that takes a character, or none, and any number that take nothing. */
interface State {
  takes: ((char: string) => boolean) | null;
  to: number;
  readonly free: number[];
}

function matcher(states: readonly State[], first: number, last: number): Pattern {
  let steps = 0;
  let round = 0;
  const seen = new Float64Array(states.length);

  /** Adds a state and all that are reached from it without a character, each once a round. */
  function reach(state: number, into: number[]): void {
    const waiting = [state];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      steps++;
      if (seen[next] === round) continue;
      seen[next] = round;
      into.push(next);
      waiting.push(...(states[next]?.free ?? []));
    }
  }

  const start: number[] = [];
  round++;
  reach(first, start);
  return {
    start,
    advance(progress, text) {
      let active = progress;
      for (const char of text) {
        const next: number[] = [];
        round++;
        for (const index of active) {
          steps++;
          const state = states[index];
          if (state?.takes?.(char)) reach(state.to, next);
        }
        if (next.length === 0) return null;
        active = next;
      }
      return active;
    },
    accepts: (progress) => progress.includes(last),
    get steps() {
      return steps;
    },
  };
}

interface Place {
  readonly states: State[];
  /** `}` inside braces: what ends a choice. */
  readonly closing: "" | "}";
  /** The state that the text at `at` continues from; nothing leads out of it yet. */
  readonly from: number;
  readonly at: number;
}

/** Builds the states of a text up to its end, or to the end of a choice; returns the last state and that end. */
function parse(text: string, { states, closing, from, at: start }: Place): [last: number, end: number] {
  let current = from;
  let at = start;
  while (at < text.length) {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (closing === "}" && (char === "}" || char === ",")) break;
    if (char === "*") {
      const stars = countStars(text, at);
      const isWholePart = stars === 2 && (at === 0 || text.charAt(at - 1) === "/");
      at += stars;
      if (isWholePart && at === text.length) current = anyNumberOf(states, current, () => true);
      else if (isWholePart && text.charAt(at) === "/") {
        current = anyParts(states, current);
        at++;
      } else current = anyNumberOf(states, current, isNoSlash);
    } else if (char === "{" && text.includes("}", at)) {
      [current, at] = parseChoices(text, { states, closing, from: current, at });
    } else {
      const [takes, end] = oneCharacter(text, at, char);
      current = one(states, current, takes);
      at = end;
    }
  }
  return [current, at];
}

function parseChoices(text: string, { states, from, at: start }: Place): [last: number, end: number] {
  const joined = add(states);
  let at = start;
  do {
    const choice = add(states);
    states[from]?.free.push(choice);
    const [last, end] = parse(text, { states, closing: "}", from: choice, at: at + 1 });
    states[last]?.free.push(joined);
    at = end;
  } while (text.charAt(at) === ",");
  return [joined, at + 1];
}

/** Parses a pattern for exactly one character; returns it and its end. */
function oneCharacter(text: string, at: number, char: string): [(char: string) => boolean, end: number] {
  if (char === "?") return [isNoSlash, at + 1];
  if (char === "\\" && at + 1 < text.length) {
    const escaped = String.fromCodePoint(text.codePointAt(at + 1) ?? 0);
    return [(taken) => taken === escaped, at + 1 + escaped.length];
  }
  if (char === "[") {
    const inner = at + (text.charAt(at + 1) === "!" || text.charAt(at + 1) === "^" ? 2 : 1);
    // A bracket that comes first in a class belongs to it.
    const end = text.indexOf("]", inner + 1);
    if (end >= 0) {
      const isListed = characterClass(text.slice(inner, end));
      const listed = inner === at + 1;
      return [(taken) => taken !== "/" && isListed(taken) === listed, end + 1];
    }
  }
  return [(taken) => taken === char, at + char.length];
}

/** Characters and ranges; the dash of a range that runs backwards stands for itself. */
function characterClass(inner: string): (char: string) => boolean {
  const singles = new Set<string>();
  const ranges: [from: number, to: number][] = [];
  const chars = [...inner];
  for (let at = 0; at < chars.length; at++) {
    const [from = "", dash, to] = chars.slice(at, at + 3);
    const bounds: [number, number] = [from.codePointAt(0) ?? 0, to?.codePointAt(0) ?? -1];
    if (dash !== "-" || bounds[0] > bounds[1]) singles.add(from);
    else {
      ranges.push(bounds);
      at += 2;
    }
  }
  return (char) => {
    const code = char.codePointAt(0) ?? 0;
    return singles.has(char) || ranges.some(([from, to]) => from <= code && code <= to);
  };
}

function countStars(text: string, at: number): number {
  let end = at;
  while (text.charAt(end) === "*") end++;
  return end - at;
}

const isNoSlash = (char: string) => char !== "/";

function add(states: State[]): number {
  return states.push({ takes: null, to: -1, free: [] }) - 1;
}

/** `from` takes one character; returns the state behind it. */
function one(states: State[], from: number, takes: (char: string) => boolean): number {
  const next = add(states);
  Object.assign(states[from] ?? {}, { takes, to: next });
  return next;
}

/** `from` takes any number of characters; returns the state behind them. */
function anyNumberOf(states: State[], from: number, takes: (char: string) => boolean): number {
  const next = add(states);
  Object.assign(states[from] ?? {}, { takes, to: from });
  states[from]?.free.push(next);
  return next;
}

/** Any number of parts, each with the slash behind it. */
function anyParts(states: State[], from: number): number {
  const part = add(states);
  const rest = one(states, part, isNoSlash);
  const slash = anyNumberOf(states, rest, isNoSlash);
  Object.assign(states[slash] ?? {}, { takes: (char: string) => char === "/", to: from });
  const next = add(states);
  states[from]?.free.push(part, next);
  return next;
}
