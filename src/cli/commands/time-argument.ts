/** Times as people give them: RFC 3339, or so long before or after now. */

const unitMs: ReadonlyMap<string, number> = new Map([
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
]);

/** `90d`, `12h`, `30m`, `2w` from now; any other text as it is, for the server to judge. */
export function timeOf(text: string, now: Date, direction: "ahead" | "back"): string {
  const [, count, unit = ""] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  const ms = unitMs.get(unit);
  if (ms === undefined) return text;
  return new Date(now.getTime() + Number(count) * (direction === "ahead" ? ms : -ms)).toISOString();
}
