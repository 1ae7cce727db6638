/** Parses times on the command line: RFC 3339, or a duration before or after now. */
import { Problem } from "../../../kernel/index.ts";

const unitMs: ReadonlyMap<string, number> = new Map([
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
]);

export interface TimeOption {
  readonly option: string;
  readonly now: Date;
  readonly direction: "ahead" | "back";
}

/** Converts `90d`, `12h`, `30m` or `2w` to a time. RFC 3339 stays unchanged. @throws Problem usage */
export function parseTime(text: string, { option, now, direction }: TimeOption): string {
  const [, count, unit = ""] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  const ms = unitMs.get(unit);
  if (ms !== undefined)
    return new Date(now.getTime() + Number(count) * (direction === "ahead" ? ms : -ms)).toISOString();
  const time = new Date(text).getTime();
  if (/^\d{4}-/.test(text) && (direction === "ahead" ? time > now.getTime() : !Number.isNaN(time)))
    return text;
  throw new Problem(
    "usage",
    `${option} is not a ${direction === "ahead" ? "future time" : "time"}: ${JSON.stringify(text)}.`,
    {
      remedy: "Use a time such as 2030-01-31T12:00:00Z, or a duration such as 7d, 12h or 30m.",
    },
  );
}
