/** Which parts of a value are secret by themselves: its lines, but for those that say nothing. */

/**
 * The value, without the blanks around it, and each line of it that is worth hiding. A document is printed line by line,
 * indented otherwise, and without its last comma. Of what JSON holds, texts of several lines (a private key) too.
 */
export function secretTexts(value: string): readonly string[] {
  const texts = [value];
  const trimmed = value.trim();
  if (trimmed.length >= shortestText) texts.push(trimmed);
  for (const part of [value, ...documentTexts(value)]) {
    const lines = part.split(/\r\n|\r|\n/);
    if (lines.length === 1) continue;
    for (const line of lines) {
      const text = line.trim().replace(/,$/, "");
      if (isRevealing(text)) texts.push(text, text.replace(/^("[^"\\]*"): /, "$1:"));
    }
  }
  return [...new Set(texts)];
}

/** What is shorter than this is no evidence of a secret, and masking it would garble the log. */
const shortestText = 4;

function documentTexts(value: string): readonly string[] {
  if (!value.trimStart().startsWith("{")) return [];
  const texts: string[] = [];
  try {
    JSON.parse(value, (_, part: unknown) => {
      if (typeof part === "string" && part.includes("\n")) texts.push(part);
      return part;
    });
  } catch {
    // It only looks like JSON: then there is nothing more in it than its lines.
  }
  return texts;
}

/** A line whose value, behind the name that it may have, has letters and digits enough to be told from ordinary output. */
function isRevealing(line: string): boolean {
  if (/^-----(BEGIN|END) [A-Z0-9 ]+-----$/.test(line)) return false;
  return isTelling(valueIn(line));
}

function valueIn(line: string): string {
  const named = /^(?:- )?["']?[\w.-]+["']?\s*[:=]\s*(.*)$/.exec(line)?.[1];
  // The last line of base64 looks like a name with nothing behind it.
  const isPadded =
    /^=?$/.test(named ?? "") && /^[\w+/]+={1,2}$/.test(line) && /[a-z].*[A-Z]|[A-Z].*[a-z]|\d/.test(line);
  return named === undefined || isPadded ? line : named;
}

/** Letters and digits enough, and not always the same ones. */
export function isTelling(text: string): boolean {
  const characters = text.match(/[\p{L}\p{N}]/gu) ?? [];
  const isMixed = /\p{L}/u.test(text) && /\p{N}/u.test(text);
  return characters.length >= (isMixed ? 6 : 8) && new Set(characters).size >= 3;
}
