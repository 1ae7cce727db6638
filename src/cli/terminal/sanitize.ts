/**
 * Makes untrusted text safe for a terminal. A log or a name must not move the cursor, change the title, trigger replies
 * of the terminal or change the reading direction.
 */
const ESC = "\\x1b";
const csi = `(?:${ESC}\\[|\\x9b)[0-?]*[ -/]*[@-~]`;
// OSC, DCS, SOS, PM, APC end at ST or BEL. An unterminated one extends to the end of the text.
const strings = `(?:${ESC}[\\]PX^_]|[\\x90\\x98\\x9d\\x9e\\x9f])[^\\x07\\x1b\\x9c]*(?:\\x07|\\x9c|${ESC}\\\\|$|(?=${ESC}))`;
const shorter = `${ESC}[ -/]*[0-~]?`;
const sequence = new RegExp(`${csi}|${strings}|${shorter}`, "g");
const colour = new RegExp(`^${ESC}\\[[0-9;:]*m$`);
// Control characters except tab, line breaks and ESC, and characters that change the writing direction.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression searches for control characters
const controls = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Cleans one line: removes control characters, expands tabs and applies carriage returns. */
export function sanitizeLine(line: string): string {
  return expandTabs(overwritten(line.replace(sequence, "").replace(controls, "")));
}

/** Cleans one line and keeps its colours, which are reset at the end. */
export function sanitizeKeepingColors(line: string): string {
  const kept: string[] = [];
  const marked = line.replace(sequence, (found) => {
    if (!colour.test(found)) return "";
    kept.push(found);
    return "\u{f0000}";
  });
  // A private-use character replaces each colour during cleaning.
  const clean = expandTabs(overwritten(marked.replace(controls, "")));
  const colours = kept.slice(kept.length - clean.split("\u{f0000}").length + 1);
  let index = 0;
  const text = clean.replace(/\u{f0000}/gu, () => colours[index++] ?? "");
  return colours.length === 0 ? text : `${text}\x1b[0m`;
}

/** Cleans a name or message to one line. */
export function sanitizeName(text: string): string {
  return sanitizeLine(text.replace(/[\r\n\t\u2028\u2029]+/g, " "));
}

/** Cleans a message of several lines. */
export function sanitizeText(text: string): string {
  return text.split("\n").map(sanitizeLine).join("\n");
}

/** The last non-blank text after carriage returns, as a terminal shows it. */
function overwritten(line: string): string {
  if (!line.includes("\r")) return line;
  return line.split("\r").findLast((state) => state.trim() !== "") ?? "";
}

function expandTabs(line: string): string {
  if (!line.includes("\t")) return line;
  let text = "";
  for (const [index, part] of line.split("\t").entries()) {
    if (index > 0) text += " ".repeat(8 - (text.length % 8));
    text += part;
  }
  return text;
}
