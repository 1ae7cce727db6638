/** What a person is told where a log was cut; every place that shows a log says the same. */

const grouped = new Intl.NumberFormat("en-US");

/** One sentence, without a newline; null when nothing is missing. Both in bytes. */
export function cutNotice(dropped: number, capBytes: number): string | null {
  if (dropped <= 0) return null;
  const bytes = `${grouped.format(dropped)} ${dropped === 1 ? "more byte was" : "more bytes were"}`;
  return `The log was cut at ${size(capBytes)}: ${bytes} written and not kept.`;
}

function size(bytes: number): string {
  const mebibytes = bytes / (1 << 20);
  return Number.isInteger(mebibytes) && mebibytes > 0 ? `${mebibytes} MiB` : `${grouped.format(bytes)} bytes`;
}
