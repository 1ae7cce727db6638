/** Carries one run before a person's eyes: head, live or plain view, Ctrl-C. The summary is the caller's. */
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
import { watchStandstill } from "./standstill.ts";
import { runHead, runSource } from "./step-line.ts";

export interface WatchOptions {
  readonly context: CommandContext;
  readonly session: Session;
  readonly run: RunDetail;
  readonly notes: readonly string[];
  readonly interrupts: Interrupts;
}

/** Where progress is shown: beside the answer, so that data keeps stdout for its one document. */
export function progressStream({ deps, format }: CommandContext): {
  readonly out: Writer;
  readonly style: Style;
} {
  const out = asData({ format }) ? deps.stderr : deps.stdout;
  return { out, style: createStyle(out, deps.environment) };
}

/** @returns the run at its end; not final only when the person insisted on leaving it. */
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
  const say = (text: string) => (live === null ? void out.write(`${text}\n`) : live.hint(text));

  const printed = (line: string) => (live === null ? void out.write(`${line}\n`) : live.print(line));
  let source = runSource(run);
  /** What a server found that was asked for a branch, or for nothing. */
  const tellSource = (now: RunDetail) => {
    const found = runSource(now);
    if (now.git_sha === null || found === source) return;
    source = found;
    printed(style.dim(found));
  };

  await using standstill = watchStandstill({
    client: session.client,
    clock: deps.clock,
    say: (text) => printed(noteLine(text)),
  });

  live?.hint("Ctrl-C cancels");
  const canceling = onAbort(interrupts.asked, async () => {
    say("canceling; press Ctrl-C again to insist");
    await session.client.cancel(run.id, deps.login());
  });
  try {
    const final = await followRun({
      client: session.client,
      run,
      view: {
        ...view,
        changed(model) {
          tellSource(model.run);
          view.changed(model);
          standstill.changed(model);
        },
      },
      clock: deps.clock,
      signal: interrupts.insisted,
      logs: live === null ? "complete" : "live",
    });
    if (!isFinalRun(final.status)) return await insist(options, final);
    await canceling.settled((error) => warn(context, error));
    return final;
  } finally {
    canceling.off();
    await live?.close();
  }
}

/** @returns the run as it is then: canceled, unless even that cannot be recorded now */
async function insist({ context, session }: WatchOptions, run: RunDetail): Promise<RunDetail> {
  try {
    await session.client.insist(run.id);
    return await session.client.get(run.id);
  } catch (error) {
    warn(context, error);
    return run;
  }
}

/** Starts the work when the signal aborts, once; at once when it has already. */
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
