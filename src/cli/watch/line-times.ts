/** Times of log lines: the recorded time, or the current time for new lines. */
import type { Clock } from "../../kernel/index.ts";
import type { Client, LogTime } from "../../services/index.ts";

export interface LineTimesOptions {
  readonly client: Pick<Client, "logTimes">;
  readonly clock: Clock;
  /** `elapsed` is the time since the execution began, for people. `absolute` is RFC 3339, for programs. */
  readonly form: "elapsed" | "absolute";
}

/** Formats the time of the line that begins at an offset. */
export type FormatLineTime = (lineStart: number) => string;

/** Reads the recorded times of an execution's log. Later lines get the current time. */
export async function lineTimes(
  { client, clock, form }: LineTimesOptions,
  attempt: { readonly id: string; readonly begun_at: string | null },
): Promise<FormatLineTime> {
  const times = await client.logTimes(attempt.id);
  const begun = Date.parse(attempt.begun_at ?? "");
  return (lineStart) => {
    const noted = timeAt(times, lineStart);
    const at = noted === null ? clock.now() : new Date(noted);
    if (form === "absolute") return `${at.toISOString().slice(0, 19)}Z `;
    return `${formatElapsed(at.getTime() - (Number.isNaN(begun) ? at.getTime() : begun))} `;
  };
}

/** The first recorded time after the byte at the offset was written. */
export function timeAt(times: readonly LogTime[], offset: number): string | null {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle]?.offset ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return times[low]?.at ?? null;
}

/** `00:07`, `12:34` or `1:02:03`. */
export function formatElapsed(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? clock : `${Math.floor(seconds / 3600)}:${clock}`;
}
