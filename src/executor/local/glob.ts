/**
 * Patterns of declared outputs: `*` and `?` within one part of a path, `**` for any number of parts, `[abc]`, `[!a-z]`,
 * `{one,two}`. A backslash takes the next character as it is. Names that begin with a dot are matched like others.
 */

/** True when the text means more than itself. */
export function isPattern(text: string): boolean {
  return /[*?[{\\]/.test(text);
}

/** Translates one pattern to an expression over a whole relative path. */
export function patternToRegExp(pattern: string): RegExp {
  const [source] = translate(pattern, 0, "");
  return new RegExp(`^${source}$`, "su");
}

/** The leading parts that are literal, so that only what lies below them is walked. */
export function literalPrefix(pattern: string): string {
  const parts = pattern.split("/");
  const end = parts.findIndex(isPattern);
  return parts.slice(0, end < 0 ? parts.length : end).join("/");
}

function translate(text: string, start: number, closing: "" | "}"): [source: string, end: number] {
  let source = "";
  let at = start;
  while (at < text.length) {
    const char = text.charAt(at);
    if (closing === "}" && (char === "}" || char === ",")) return [source, at];
    if (text.startsWith("**", at) && (at === 0 || text.charAt(at - 1) === "/")) {
      const whole = at + 2 === text.length;
      if (whole || text.charAt(at + 2) === "/") {
        source += whole ? ".*" : "(?:[^/]+/)*";
        at += whole ? 2 : 3;
        continue;
      }
    }
    if (char === "*") {
      while (text.charAt(at + 1) === "*") at++;
      source += "[^/]*";
    } else if (char === "?") source += "[^/]";
    else if (char === "\\" && at + 1 < text.length) source += literally(text.charAt(++at));
    else if (char === "[") {
      const end = text.indexOf("]", at + 1 + leadingBracket(text.slice(at + 1)));
      if (end < 0) source += "\\[";
      else {
        source += characterClass(text.slice(at + 1, end));
        at = end;
      }
    } else if (char === "{" && text.includes("}", at)) {
      const choices: string[] = [];
      do {
        const [choice, end] = translate(text, at + 1, "}");
        choices.push(choice);
        at = end;
      } while (text.charAt(at) === ",");
      source += `(?:${choices.join("|")})`;
    } else source += literally(char);
    at++;
  }
  return [source, at];
}

/** A bracket that comes first in a class, after its negation, belongs to it: its length with the negation. */
function leadingBracket(inner: string): number {
  return /^[!^]?\]/.exec(inner)?.[0].length ?? 0;
}

function characterClass(inner: string): string {
  const negated = /^[!^]/.test(inner);
  const body = (negated ? inner.slice(1) : inner).replace(/[\\\]^[&~|]/g, "\\$&");
  const safe = body.replace(/(.)-(.)/gsu, (range, from: string, to: string) =>
    from <= to ? range : `${from}${to}\\-`,
  );
  return `(?!/)[${negated ? "^" : ""}${safe}]`;
}

const literally = (char: string) => char.replace(/[$()*+.?[\\\]^{|}/]/g, "\\$&");
