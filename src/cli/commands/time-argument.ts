/** Times as people give them: RFC 3339, or so long before or after now. */
import { Problem } from "../../kernel/index.ts";

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

/** `90d`, `12h`, `30m`, `2w` from now; RFC 3339 as it is. @throws Problem usage */
export function timeOf(text: string, { option, now, direction }: TimeOption): string {
  const [, count, unit = ""] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  const ms = unitMs.get(unit);
  if (ms !== undefined)
    return new Date(now.getTime() + Number(count) * (direction === "ahead" ? ms : -ms)).toISOString();
  const time = new Date(text).getTime();
  if (/^\d{4}-/.test(text) && (direction === "ahead" ? time > now.getTime() : !Number.isNaN(time)))
    return text;
  throw new Problem(
    "usage",
    `${option} is no time${direction === "ahead" ? " to come" : ""}: ${JSON.stringify(text)}`,
    {
      remedy: "Give it as 2030-01-31T12:00:00Z, or as 7d, 12h or 30m.",
    },
  );
}
