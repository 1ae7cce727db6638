/** One line with a spinner while something is awaited that has nothing to show yet (the first start of a database). */
import { createLoop } from "../../kernel/index.ts";
import type { CommandContext } from "../context.ts";
import { warn } from "../errors.ts";
import { formatDuration } from "../terminal/format.ts";
import { createLiveRegion } from "../terminal/live-region.ts";
import { isCapable } from "../terminal/style.ts";
import { progressStream } from "./watch-run.ts";

const FRAME_MS = 100;
/** What is quicker is not worth a line. */
const PATIENCE_MS = 500;

export interface Waiting {
  readonly label: string;
  /** Aborts on Ctrl-C; the line says so, since what is awaited may need a moment to stop. */
  readonly asked: AbortSignal;
}

/** Shows the line on a terminal only, removes it when the work has ended in any way. */
export async function whileWaiting<T>(
  context: CommandContext,
  { label, asked }: Waiting,
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
      if (waited < PATIENCE_MS && !asked.aborted) return;
      const sign = spinner[Math.floor(waited / FRAME_MS) % spinner.length] ?? "";
      const words = asked.aborted ? "stopping before anything begins" : label;
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
