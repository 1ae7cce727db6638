/** Finds the parts of a value that are secret on their own: its lines, except trivial ones. */

/**
 * Returns the value, the trimmed value and each of its significant lines. Programs print a document line by line, with
 * other indentation and without trailing commas. Multi-line strings in JSON (a private key) are split, too.
 */
export function secretTexts(value: string): readonly string[] {
  const texts = [value];
  const trimmed = value.trim();
  if (trimmed.length >= minLength) texts.push(trimmed);
  for (const part of [value, ...documentTexts(value)]) {
    const lines = part.split(/\r\n|\r|\n/);
    if (lines.length === 1) continue;
    for (const line of lines) {
      const text = line.trim().replace(/,$/, "");
      if (isSecretLine(text)) texts.push(text, text.replace(/^("[^"\\]*"): /, "$1:"));
    }
  }
  return [...new Set(texts)];
}

/** Minimum length of a text. Masking a shorter one would garble the log. */
const minLength = 4;

function documentTexts(value: string): readonly string[] {
  if (!value.trimStart().startsWith("{")) return [];
  const texts: string[] = [];
  try {
    JSON.parse(value, (_, part: unknown) => {
      if (typeof part === "string" && part.includes("\n")) texts.push(part);
      return part;
    });
  } catch {
    // The value only looks like JSON, so its lines are enough.
  }
  return texts;
}

/** True if the line's value, without its name, differs enough from ordinary output. */
function isSecretLine(line: string): boolean {
  if (/^-----(BEGIN|END) [A-Z0-9 ]+-----$/.test(line)) return false;
  return isSignificant(valueIn(line));
}

function valueIn(line: string): string {
  const named = /^(?:- )?["']?[\w.-]+["']?\s*[:=]\s*(.*)$/.exec(line)?.[1];
  // The last line of base64 looks like a name without a value.
  const isPadded =
    /^=?$/.test(named ?? "") && /^[\w+/]+={1,2}$/.test(line) && /[a-z].*[A-Z]|[A-Z].*[a-z]|\d/.test(line);
  return named === undefined || isPadded ? line : named;
}

/** True if the text has enough letters and digits, and enough different ones. */
export function isSignificant(text: string): boolean {
  const characters = text.match(/[\p{L}\p{N}]/gu) ?? [];
  const isMixed = /\p{L}/u.test(text) && /\p{N}/u.test(text);
  return characters.length >= (isMixed ? 6 : 8) && new Set(characters).size >= 3;
}
