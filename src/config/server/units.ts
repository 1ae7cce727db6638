/** Parsers for durations and sizes. */

/** `30s`, `10m`, `1h30m`, or digits alone for seconds. */
export const durationPattern = /^(?:(\d{1,8})|(?=\d)(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?)$/;

/** @returns seconds, or null when the text is not a duration */
export function parseDuration(text: string): number | null {
  const match = durationPattern.exec(text);
  if (match === null) return null;
  const [, plain, hours = "0", minutes = "0", seconds = "0"] = match;
  return plain === undefined ? Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) : Number(plain);
}

const sizeUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** @returns the bytes of `64MiB`, `1.5 GiB`, `500MB` or digits alone, or null */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,3})?) ?([kmgt]?i?b|)$/i.exec(text);
  if (match === null) return null;
  const [, amount = "", unit = ""] = match;
  const factor = Object.hasOwn(sizeUnits, unit.toLowerCase()) ? sizeUnits[unit.toLowerCase()] : undefined;
  const bytes = factor === undefined ? Number.NaN : Number(amount) * factor;
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : null;
}
