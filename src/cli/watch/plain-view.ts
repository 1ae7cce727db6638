/** The view for pipes and files: log lines with the prefix `[stage/step] `, and a line per start and end of a step. */
import type { Writer } from "../deps.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import type { Style } from "../terminal/style.ts";
import type { RunView } from "./follow-run.ts";
import { createLogPrinter } from "./log-printer.ts";
import type { WatchedStep } from "./run-model.ts";
import { mark, stepDuration, stepRemark } from "./step-line.ts";

export interface PlainViewOptions {
  readonly out: Writer;
  readonly style: Style;
  readonly now: () => Date;
}

export function createPlainView({ out, style, now }: PlainViewOptions): RunView {
  const printer = createLogPrinter({ out, style, prefix: "step" });
  return {
    changed() {},
    started(watched) {
      out.write(`${mark("running", style)} ${sanitizeName(watched.label)}\n`);
    },
    log: printer.log,
    ended(watched) {
      printer.end(watched);
      out.write(`${endedLine(watched, style, now())}\n`);
    },
  };
}

/** `✓ build/compile 1.2s` · `✗ test/unit script_failed, exit status 1, 0.4s` · `– deploy/deploy skipped`. */
function endedLine({ step, label }: WatchedStep, style: Style, now: Date): string {
  const remark = stepRemark(step);
  const tail = [remark, stepDuration(step, now)].filter((part) => part !== "").join(", ");
  return `${mark(step.status, style)} ${sanitizeName(label)} ${tail}`.trimEnd();
}
