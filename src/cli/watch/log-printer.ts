/** Writes logs to a stream: unchanged bytes to a pipe, safe text to a terminal. */
import type { ExecutionDetail } from "../../services/index.ts";
import type { Writer } from "../deps.ts";
import { sanitizeKeepingColors, sanitizeLine, sanitizeName } from "../terminal/sanitize.ts";
import type { Style } from "../terminal/style.ts";
import type { FormatLineTime } from "./line-times.ts";
import { LinePrefixer } from "./log-lines.ts";
import type { WatchedStep } from "./run-model.ts";

export interface LogPrinter {
  /** Writes bytes of an execution's log, in order. */
  log(step: WatchedStep, bytes: Uint8Array, attempt: ExecutionDetail): Promise<void>;
  /** Writes a last line without a line break. */
  end(step: WatchedStep): void;
}

export interface LogPrinterOptions {
  readonly out: Writer;
  readonly style: Style;
  /** `step` writes whole lines after `[stage/step] `. `none` writes bytes immediately. */
  readonly prefix: "step" | "none";
  /** Adds a time to each line. */
  readonly stamps?: (attempt: ExecutionDetail) => Promise<FormatLineTime>;
}

export function createLogPrinter({ out, style, prefix, stamps }: LogPrinterOptions): LogPrinter {
  /** By step, then by execution. */
  const prefixers = new Map<string, Map<string, LinePrefixer>>();
  const raw = prefix === "none" && !out.isTTY && stamps === undefined;
  const clean = style.color ? sanitizeKeepingColors : sanitizeLine;

  function write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const lines = out.isTTY ? new TextDecoder().decode(bytes).split("\n") : null;
    out.write(lines === null ? bytes : lines.map(clean).join("\n"));
  }

  async function prefixerOf({ step, label }: WatchedStep, attempt: ExecutionDetail): Promise<LinePrefixer> {
    const ofStep = prefixers.get(step.id) ?? new Map<string, LinePrefixer>();
    prefixers.set(step.id, ofStep);
    const present = ofStep.get(attempt.id);
    if (present !== undefined) return present;
    const name = prefix === "none" ? "" : style.dim(`[${sanitizeName(label)}] `);
    const stamp = await stamps?.(attempt);
    const made = new LinePrefixer(
      stamp === undefined ? name : (lineStart) => `${style.dim(stamp(lineStart))}${name}`,
    );
    ofStep.set(attempt.id, made);
    return made;
  }

  return {
    async log(watched, bytes, attempt) {
      if (raw) out.write(bytes);
      else write((await prefixerOf(watched, attempt)).push(bytes));
      await out.drained();
    },
    end({ step }) {
      for (const prefixer of prefixers.get(step.id)?.values() ?? []) write(prefixer.end());
      prefixers.delete(step.id);
    },
  };
}
