/**
 * The view for a terminal: a permanent line per finished step, and below it the running steps with the last lines of their
 * logs. One timer draws at most ten frames a second.
 */
import { isFinalStage } from "../../domain/index.ts";
import { type Clock, createLoop } from "../../kernel/index.ts";
import type { Writer } from "../deps.ts";
import { count, elapsed, formatDuration } from "../terminal/format.ts";
import { createLiveRegion } from "../terminal/live-region.ts";
import { sanitizeLine, sanitizeName } from "../terminal/sanitize.ts";
import type { Style } from "../terminal/style.ts";
import { cut, padEnd, widthOf } from "../terminal/width.ts";
import type { RunView } from "./follow-run.ts";
import { LogTail } from "./log-lines.ts";
import type { RunModel, WatchedStep } from "./run-model.ts";
import { mark, stepDuration, stepRemark } from "./step-line.ts";

const FRAME_MS = 100;
const MAX_LOG_LINES = 5;
/** Number of steps above which only unsuccessful steps get a line. */
const MANY_STEPS = 100;

export interface LiveView extends RunView {
  /** Sets the text at the end of the bottom line. */
  setStatus(text: string): void;
  /** Prints a permanent line above the changing part. */
  print(line: string): void;
  /** Prints the remaining lines, removes the changing part and stops the timer. Idempotent. */
  close(): Promise<void>;
}

export interface LiveViewOptions {
  readonly out: Writer;
  readonly style: Style;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export function createLiveView({ out, style, clock, onError }: LiveViewOptions): LiveView {
  const region = createLiveRegion(out);
  const tails = new Map<string, LogTail>();
  const running = new Set<string>();
  let model: RunModel | null = null;
  let status = "";
  let unprinted: string[] = [];
  let closed = false;

  function draw(): void {
    if (closed) return;
    const above = unprinted;
    unprinted = [];
    region.draw(above, model === null ? [] : frame(model));
  }

  function frame(current: RunModel): readonly string[] {
    const width = Math.max(10, out.columns - 1);
    const now = clock.now();
    // A finished step may still be printing its log, so final steps are excluded.
    const steps = current.steps.filter(({ step }) => running.has(step.id) && !isFinalStage(step.status));
    const available = Math.max(1, out.rows - 3);
    const shown = steps.length > available ? steps.slice(0, available - 1) : steps;
    const logLines = Math.min(MAX_LOG_LINES, Math.floor(available / Math.max(1, shown.length)) - 1);
    const lines: string[] = [];
    for (const watched of shown) {
      lines.push(runningLine(watched, width, now));
      const tail = logLines > 0 ? tails.get(watched.step.id) : undefined;
      for (const line of tail?.lines(logLines, sanitizeLine) ?? [])
        lines.push(style.dim(cut(`    ${line}`, width, style.marks.more)));
    }
    const hidden = steps.length - shown.length;
    if (hidden > 0)
      lines.push(style.dim(cut(`  and ${count(hidden, "more step")} running`, width, style.marks.more)));
    lines.push(style.dim(cut(bottomLine(current, now), width, style.marks.more)));
    return lines;
  }

  function runningLine(watched: WatchedStep, width: number, now: Date): string {
    const { spinner } = style.marks;
    const sign = spinner[Math.floor(clock.monotonic() / FRAME_MS) % spinner.length] ?? "";
    return stepRow(style, { sign: style.cyan(sign), watched, tail: stepDuration(watched.step, now), width });
  }

  function bottomLine(current: RunModel, now: Date): string {
    const { run, steps } = current;
    const done = steps.filter(({ step }) => isFinalStage(step.status)).length;
    const age = elapsed(run.started_at ?? run.created_at, run.finished_at, now) ?? 0;
    const progress = `${done.toLocaleString("en-US")} of ${count(steps.length, "step")}`;
    return [`  ${progress}`, formatDuration(age), status]
      .filter((part) => part !== "")
      .join(` ${style.marks.dot} `);
  }

  const timer = createLoop({ clock, everyMs: FRAME_MS, runOnce: async () => draw(), onError });
  timer.start();
  return {
    changed(current) {
      model = current;
    },
    started(watched) {
      running.add(watched.step.id);
    },
    async log({ step }, bytes) {
      const tail = tails.get(step.id) ?? new LogTail();
      tails.set(step.id, tail);
      tail.push(bytes);
    },
    ended(watched) {
      running.delete(watched.step.id);
      tails.delete(watched.step.id);
      const many = (model?.steps.length ?? 0) > MANY_STEPS;
      if (many && (watched.step.status === "succeeded" || watched.step.status === "skipped")) return;
      unprinted.push(endedRow(style, watched, { width: Math.max(10, out.columns - 1), now: clock.now() }));
    },
    setStatus(text) {
      status = text;
    },
    print(line) {
      unprinted.push(line);
    },
    async close() {
      if (closed) return;
      await timer.stop();
      if (unprinted.length > 0) draw();
      closed = true;
      region.close();
    },
  };
}

interface Row {
  readonly sign: string;
  readonly watched: WatchedStep;
  readonly remark?: string;
  readonly tail: string;
  readonly width: number;
}

const NAME_COLUMN = 36;

/** Formats mark, name, remark and duration. The name is cut to fit. */
function stepRow(style: Style, { sign, watched, remark = "", tail, width }: Row): string {
  const beside = (remark === "" ? 0 : widthOf(remark) + 2) + (tail === "" ? 0 : tail.length + 2);
  const available = Math.max(4, width - 2 - beside);
  const name = cut(sanitizeName(watched.label), available, style.marks.more);
  const column = Math.min(NAME_COLUMN, available);
  const parts = [`${sign} ${tail === "" && remark === "" ? name : padEnd(name, column)}`];
  if (remark !== "") parts.push(watched.step.status === "failed" ? style.red(remark) : style.dim(remark));
  if (tail !== "") parts.push(style.dim(tail));
  return parts.join("  ");
}

function endedRow(
  style: Style,
  watched: WatchedStep,
  at: { readonly width: number; readonly now: Date },
): string {
  const { step } = watched;
  return stepRow(style, {
    sign: mark(step.status, style),
    watched,
    remark: stepRemark(step),
    tail: stepDuration(step, at.now),
    width: at.width,
  });
}
