/**
 * When a log's lines were written, to about a second: beside a log that grows, in the file `times` of its directory,
 * stands how much of it was there at which moments. One line each, `<bytes> <milliseconds since 1970>`, appended; a line
 * that a killed process left half is passed over. The bytes themselves know nothing of it.
 */
import { type Stats, statSync } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import { type Clock, errorCode, errorMessage, type Logger } from "../kernel/index.ts";
import { firstSegment } from "./segments.ts";
import type { LogTime } from "./types.ts";

const everyMs = 1_000;
/** The most that are given out: of a longer log fewer of them, evenly. */
const most = 20_000;

export const timesFile = "times";

export interface TimeKeeper {
  /** Looks at the log about once a second until `drop`, and notes when it has grown. */
  keep(directory: string): void;
  drop(directory: string): void;
  /** Notes that so many bytes are there now. */
  note(directory: string, bytes: number): Promise<void>;
}

interface Deps {
  readonly clock: Clock;
  readonly log: Logger;
}

export function createTimeKeeper({ clock, log }: Deps): TimeKeeper {
  /** By directory, the bytes that were noted last. */
  const kept = new Map<string, number>();
  let rest: AbortController | null = null;

  /** As long as there is something to look at: its rest is ended with that, so that no process waits for it. */
  async function look(resting: AbortController): Promise<void> {
    while (!resting.signal.aborted) {
      await clock.sleep(everyMs, resting.signal);
      for (const [directory, before] of kept) {
        const size = sizeOf(path.join(directory, firstSegment));
        if (size <= before) continue;
        kept.set(directory, size);
        await note(directory, size);
        // Its end came meanwhile.
        if (resting.signal.aborted) return;
      }
    }
  }

  async function note(directory: string, bytes: number): Promise<void> {
    try {
      await fs.appendFile(path.join(directory, timesFile), `${bytes} ${clock.now().getTime()}\n`, {
        mode: 0o644,
      });
    } catch (error) {
      // A log is worth more than its times.
      log.warn(
        { place: directory, error: errorMessage(error) },
        "the time of a log's lines could not be kept",
      );
    }
  }

  return {
    keep(directory) {
      if (!kept.has(directory)) kept.set(directory, 0);
      if (rest !== null) return;
      rest = new AbortController();
      look(rest).catch((error: unknown) =>
        log.error({ error: errorMessage(error) }, "the times of logs' lines are not kept for now"),
      );
    },
    drop(directory) {
      kept.delete(directory);
      if (kept.size > 0) return;
      rest?.abort();
      rest = null;
    },
    note,
  };
}

/** Synchronous: of a few files once a second, and a turn of the thread pool costs more. */
function sizeOf(file: string): number {
  const found: Stats | undefined = statSync(file, { throwIfNoEntry: false });
  return found?.size ?? 0;
}

/** In order, each with more bytes than the one before. */
export async function readTimes(directory: string): Promise<readonly LogTime[]> {
  const text = await fs.readFile(path.join(directory, timesFile), "latin1").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  });
  return thinned(parseTimes(text));
}

/** What two processes noted of one log may overlap: the first that saw so many bytes is right. */
export function parseTimes(text: string): readonly LogTime[] {
  const times: LogTime[] = [];
  let before = 0;
  for (const [, bytes, at] of text.matchAll(/^(\d{1,15}) (\d{1,15})\n/gm)) {
    const offset = Number(bytes);
    if (offset <= before) continue;
    before = offset;
    times.push({ offset, at: new Date(Number(at)) });
  }
  return times;
}

function thinned(times: readonly LogTime[]): readonly LogTime[] {
  const step = Math.ceil(times.length / most);
  return step <= 1 ? times : times.filter((_, index) => index % step === 0 || index === times.length - 1);
}
