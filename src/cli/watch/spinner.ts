/** A line with a spinner during work without output, such as the first start of a database. */
import { createLoop } from "../../kernel/index.ts";
import type { CommandContext } from "../context.ts";
import { warn } from "../errors.ts";
import { formatDuration } from "../terminal/format.ts";
import { createLiveRegion } from "../terminal/live-region.ts";
import { isCapable } from "../terminal/style.ts";
import { progressStream } from "./watch-run.ts";

const FRAME_MS = 100;
/** Delay before the line appears. */
const DELAY_MS = 500;

export interface SpinnerOptions {
  readonly label: string;
  /** Aborts on Ctrl-C. The line shows it, because the work may take a moment to stop. */
  readonly cancel: AbortSignal;
}

/** Shows the line on a terminal until the work ends. */
export async function withSpinner<T>(
  context: CommandContext,
  { label, cancel }: SpinnerOptions,
  work: () => Promise<T>,
): Promise<T> {
  const { clock, environment } = context.deps;
  const { out, style } = progressStream(context);
  if (!isCapable(out, environment)) return await work();
  const region = createLiveRegion(out);
  const begin = clock.monotonic();
  const { spinner, dot } = style.marks;
  await using timer = createLoop({
    clock,
    everyMs: FRAME_MS,
    async runOnce() {
      const waited = clock.monotonic() - begin;
      if (waited < DELAY_MS && !cancel.aborted) return;
      const sign = spinner[Math.floor(waited / FRAME_MS) % spinner.length] ?? "";
      const words = cancel.aborted ? "stopping" : label;
      region.draw([], [`${style.cyan(sign)} ${style.dim(`${words} ${dot} ${formatDuration(waited)}`)}`]);
    },
    onError: (error) => warn(context, error),
  });
  timer.start();
  try {
    return await work();
  } finally {
    await timer.stop();
    region.close();
  }
}
