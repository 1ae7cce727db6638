/**
 * Text that others wrote, made harmless for a terminal: a step's log or a name must not move the cursor, change the
 * title, answer queries or turn the reading direction of what follows it.
 */
const ESC = "\\x1b";
const csi = `(?:${ESC}\\[|\\x9b)[0-?]*[ -/]*[@-~]`;
// OSC, DCS, SOS, PM, APC: up to ST or BEL; one that never ends takes the rest of the text with it.
const strings = `(?:${ESC}[\\]PX^_]|[\\x90\\x98\\x9d\\x9e\\x9f])[^\\x07\\x1b\\x9c]*(?:\\x07|\\x9c|${ESC}\\\\|$|(?=${ESC}))`;
const shorter = `${ESC}[ -/]*[0-~]?`;
const sequence = new RegExp(`${csi}|${strings}|${shorter}`, "g");
const colour = new RegExp(`^${ESC}\\[[0-9;:]*m$`);
// Controls but for tab, line breaks and ESC itself, and what turns the direction of writing.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const controls = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** One line, without its line break: no control character is left, tabs are spaces, `\r` has overwritten. */
export function sanitizeLine(line: string): string {
  return expandTabs(overwritten(line.replace(sequence, "").replace(controls, "")));
}

/** The same, but colours stay; they are reset at the end of the line. */
export function sanitizeKeepingColors(line: string): string {
  const kept: string[] = [];
  const marked = line.replace(sequence, (found) => {
    if (!colour.test(found)) return "";
    kept.push(found);
    return "\u{f0000}";
  });
  // A private-use character stands for a colour while the rest is cleaned.
  const clean = expandTabs(overwritten(marked.replace(controls, "")));
  const colours = kept.slice(kept.length - clean.split("\u{f0000}").length + 1);
  let index = 0;
  const text = clean.replace(/\u{f0000}/gu, () => colours[index++] ?? "");
  return colours.length === 0 ? text : `${text}\x1b[0m`;
}

/** A name or message on one line. */
export function sanitizeName(text: string): string {
  return sanitizeLine(text.replace(/[\r\n\t\u2028\u2029]+/g, " "));
}

/** A message that may have several lines. */
export function sanitizeText(text: string): string {
  return text.split("\n").map(sanitizeLine).join("\n");
}

/** What a terminal shows after carriage returns: the last state that has something in it. */
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
