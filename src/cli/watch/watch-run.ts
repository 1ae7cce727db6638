/** Shows a run to its end: its title, a live or plain view, and Ctrl-C. The caller prints the summary. */
import { isFinalRun } from "../../domain/index.ts";
import type { RunDetail } from "../../services/index.ts";
import { asData, type CommandContext } from "../context.ts";
import type { Session, Writer } from "../deps.ts";
import { warn } from "../errors.ts";
import type { Interrupts } from "../interrupts.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import { createStyle, isCapable, type Style } from "../terminal/style.ts";
import { followRun } from "./follow-run.ts";
import { createLiveView } from "./live-view.ts";
import { createPlainView } from "./plain-view.ts";
import { runHead, runSource } from "./step-line.ts";
import { reportWaitReasons } from "./wait-reasons.ts";

export interface WatchOptions {
  readonly context: CommandContext;
  readonly session: Session;
  readonly run: RunDetail;
  readonly notes: readonly string[];
  readonly interrupts: Interrupts;
}

/** The stream for progress, which is stderr when stdout is for data. */
export function progressStream({ deps, format }: CommandContext): {
  readonly out: Writer;
  readonly style: Style;
} {
  const out = asData({ format }) ? deps.stderr : deps.stdout;
  return { out, style: createStyle(out, deps.environment) };
}

/** @returns the run at its end, or unfinished when the user forced the command to end */
export async function watchRun(options: WatchOptions): Promise<RunDetail> {
  const { context, session, run, notes, interrupts } = options;
  const { deps } = context;
  const { out, style } = progressStream(context);
  out.write(`${runHead(run, style)}\n`);
  const noteLine = (text: string) => `${style.yellow("note:")} ${sanitizeName(text)}`;
  for (const text of notes) out.write(`${noteLine(text)}\n`);

  const live = isCapable(out, deps.environment)
    ? createLiveView({ out, style, clock: deps.clock, onError: (error) => warn(context, error) })
    : null;
  const view = live ?? createPlainView({ out, style, now: () => deps.clock.now() });
  const showStatus = (text: string) => (live === null ? void out.write(`${text}\n`) : live.setStatus(text));

  const printLine = (line: string) => (live === null ? void out.write(`${line}\n`) : live.print(line));
  let source = runSource(run);
  /** Prints the commit that the server resolved. */
  const showSource = (now: RunDetail) => {
    const found = runSource(now);
    if (now.git_sha === null || found === source) return;
    source = found;
    printLine(style.dim(found));
  };

  await using waitReasons = reportWaitReasons({
    client: session.client,
    clock: deps.clock,
    report: (text) => printLine(noteLine(text)),
  });

  live?.setStatus("Ctrl-C cancels");
  const canceling = onAbort(interrupts.cancel, async () => {
    showStatus("canceling, press Ctrl-C again to force");
    await session.client.cancel(run.id, deps.login());
  });
  try {
    const final = await followRun({
      client: session.client,
      run,
      view: {
        ...view,
        changed(model) {
          showSource(model.run);
          view.changed(model);
          waitReasons.changed(model);
        },
      },
      clock: deps.clock,
      signal: interrupts.force,
      logs: live === null ? "complete" : "live",
    });
    if (!isFinalRun(final.status)) return await forceCancel(options, final);
    await canceling.settled((error) => warn(context, error));
    return final;
  } finally {
    canceling.off();
    await live?.close();
  }
}

/** @returns the canceled run, or the unchanged run when the cancellation cannot be recorded */
async function forceCancel({ context, session }: WatchOptions, run: RunDetail): Promise<RunDetail> {
  try {
    await session.client.force(run.id);
    return await session.client.get(run.id);
  } catch (error) {
    warn(context, error);
    return run;
  }
}

/** Starts the work when the signal aborts, or immediately when it has aborted. */
function onAbort(signal: AbortSignal, work: () => Promise<void>) {
  let outcome: Promise<unknown> | null = null;
  const start = () => {
    outcome = work().then(
      () => null,
      (error: unknown) => ({ error }),
    );
  };
  if (signal.aborted) start();
  else signal.addEventListener("abort", start, { once: true });
  return {
    off: () => signal.removeEventListener("abort", start),
    async settled(onError: (error: unknown) => void): Promise<void> {
      const failed = await outcome;
      if (typeof failed === "object" && failed !== null && "error" in failed) onError(failed.error);
    },
  };
}
