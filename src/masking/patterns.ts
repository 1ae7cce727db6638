/** How a value may stand in a log: as it is, and in the encodings that programs print it in. Byte strings as latin1. */

/** What is shorter than this is no evidence of a secret, and masking it would garble the log. */
const shortestPart = 6;

/** Longest first, each once. */
export function maskPatterns(values: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const value of values) {
    if (value === "") continue;
    found.add(bytes(value));
    const lines = value.split(/\r?\n/).filter((line) => line.length >= shortestPart);
    for (const text of [value, ...lines]) for (const form of formsOf(text)) found.add(bytes(form));
  }
  return [...found].sort((a, b) => b.length - a.length);
}

const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

function formsOf(text: string): readonly string[] {
  const raw = Buffer.from(text, "utf8");
  const uri = encodeURIComponent(text);
  const json = JSON.stringify(text).slice(1, -1);
  const hex = raw.toString("hex");
  return [
    text,
    uri,
    uri.replaceAll("%20", "+"),
    uri.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    json,
    json.replaceAll("/", "\\/"),
    text.replaceAll("'", "'\\''"),
    hex,
    hex.toUpperCase(),
    ...base64Forms(raw),
  ].filter((form) => form === text || form.length >= shortestPart);
}

/**
 * Base64 of something that the value is a part of (`user:password`): what its digits are depends on how many bytes stand
 * before it, modulo three, and the digits at both ends also on the neighbours. Those between are the value's alone.
 */
function base64Forms(raw: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const all = Buffer.concat([Buffer.alloc(before), raw]).toString("base64");
    const own = all.slice(Math.ceil((before * 4) / 3), Math.floor(((before + raw.length) * 4) / 3));
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
