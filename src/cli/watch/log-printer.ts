/** Writes steps' logs to a stream: to a pipe the bytes as they are, to a terminal nothing that could move it. */
import type { Writer } from "../deps.ts";
import { sanitizeKeepingColors, sanitizeLine, sanitizeName } from "../terminal/sanitize.ts";
import type { Style } from "../terminal/style.ts";
import { LinePrefixer } from "./log-lines.ts";
import type { WatchedStep } from "./run-model.ts";

export interface LogPrinter {
  log(step: WatchedStep, bytes: Uint8Array): Promise<void>;
  /** Writes the last line, where it was not ended by a line break. */
  end(step: WatchedStep): void;
}

export interface LogPrinterOptions {
  readonly out: Writer;
  readonly style: Style;
  /** `step`: whole lines only, each after `[stage/step] `. `none`: bytes as they come. */
  readonly prefix: "step" | "none";
}

export function createLogPrinter({ out, style, prefix }: LogPrinterOptions): LogPrinter {
  const prefixers = new Map<string, LinePrefixer>();
  const raw = prefix === "none" && !out.isTTY;
  const clean = style.color ? sanitizeKeepingColors : sanitizeLine;

  function write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const lines = out.isTTY ? new TextDecoder().decode(bytes).split("\n") : null;
    out.write(lines === null ? bytes : lines.map(clean).join("\n"));
  }

  function prefixerOf({ step, label }: WatchedStep): LinePrefixer {
    let prefixer = prefixers.get(step.id);
    if (prefixer === undefined) {
      prefixer = new LinePrefixer(prefix === "none" ? "" : style.dim(`[${sanitizeName(label)}] `));
      prefixers.set(step.id, prefixer);
    }
    return prefixer;
  }

  return {
    async log(watched, bytes) {
      if (raw) out.write(bytes);
      else write(prefixerOf(watched).push(bytes));
      await out.drained();
    },
    end(watched) {
      const rest = prefixers.get(watched.step.id)?.end();
      if (rest !== undefined) write(rest);
      prefixers.delete(watched.step.id);
    },
  };
}
