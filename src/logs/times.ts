/**
 * Times of a log's lines, to about a second. The file `times` in the log's directory records the log's size at certain
 * moments, one appended line each: `<bytes> <milliseconds since 1970>`. Readers skip a line that a killed process cut.
 */
import { type Stats, statSync } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import { type Clock, errorCode, errorMessage, type Logger } from "../kernel/index.ts";
import { firstSegment } from "./segments.ts";
import type { LogTime } from "./types.ts";

const intervalMs = 1_000;
/** Maximum number of times that are returned. A longer log gives an even sample. */
const maxTimes = 20_000;

export const timesFile = "times";

export interface TimeRecorder {
  /** Records the size of a growing log about once a second, until `stop`. */
  start(directory: string): void;
  stop(directory: string): void;
  /** Records the current size. */
  record(directory: string, bytes: number): Promise<void>;
}

interface Deps {
  readonly clock: Clock;
  readonly log: Logger;
}

export function createTimeRecorder({ clock, log }: Deps): TimeRecorder {
  /** Last recorded size by directory. */
  const sizes = new Map<string, number>();
  let running: AbortController | null = null;

  /** Runs while a log is recorded. Its sleep ends with the last log, so that no process waits for it. */
  async function recordAll(stop: AbortController): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(intervalMs, stop.signal);
      for (const [directory, before] of sizes) {
        const size = sizeOf(path.join(directory, firstSegment));
        if (size <= before) continue;
        sizes.set(directory, size);
        await record(directory, size);
        if (stop.signal.aborted) return;
      }
    }
  }

  async function record(directory: string, bytes: number): Promise<void> {
    try {
      await fs.appendFile(path.join(directory, timesFile), `${bytes} ${clock.now().getTime()}\n`, {
        mode: 0o644,
      });
    } catch (error) {
      // A log is more important than its times.
      log.warn({ place: directory, error: errorMessage(error) }, "The times of a log could not be recorded.");
    }
  }

  return {
    start(directory) {
      if (!sizes.has(directory)) sizes.set(directory, 0);
      if (running !== null) return;
      running = new AbortController();
      recordAll(running).catch((error: unknown) =>
        log.error({ error: errorMessage(error) }, "The recording of log times has stopped."),
      );
    },
    stop(directory) {
      sizes.delete(directory);
      if (sizes.size > 0) return;
      running?.abort();
      running = null;
    },
    record,
  };
}

/** Reads synchronously, because the thread pool costs more for a few files a second. */
function sizeOf(file: string): number {
  const found: Stats | undefined = statSync(file, { throwIfNoEntry: false });
  return found?.size ?? 0;
}

/** Returns the times in ascending order of bytes. */
export async function readTimes(directory: string): Promise<readonly LogTime[]> {
  const text = await fs.readFile(path.join(directory, timesFile), "latin1").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  });
  return evenSample(parseTimes(text));
}

/** Keeps the first time of each size, because records of two processes may overlap. */
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

function evenSample(times: readonly LogTime[]): readonly LogTime[] {
  const step = Math.ceil(times.length / maxTimes);
  return step <= 1 ? times : times.filter((_, index) => index % step === 0 || index === times.length - 1);
}
