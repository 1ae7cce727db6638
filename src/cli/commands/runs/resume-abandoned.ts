/** Resumes runs that a killed process left unfinished, and drives them to their end with one line each. */
import { isFinalRun } from "../../../domain/index.ts";
import { Problem } from "../../../kernel/index.ts";
import type { RunSummary } from "../../../services/index.ts";
import { type CommandContext, note } from "../../context.ts";
import type { Session } from "../../deps.ts";
import { warn } from "../../errors.ts";
import type { Interrupts } from "../../interrupts.ts";
import { resumeArgument } from "../../suggested-arguments.ts";
import { elapsed, formatDuration } from "../../terminal/format.ts";
import { followRun, type RunView } from "../../watch/follow-run.ts";
import { mark, paintStatus, runTitle } from "../../watch/step-line.ts";
import { progressStream } from "../../watch/watch-run.ts";

const silentView: RunView = { changed() {}, started() {}, log: async () => {}, ended() {} };

/** Resumes all these runs. A run that cannot be resumed gets a warning and is skipped. */
export async function resumeAbandoned(
  context: CommandContext,
  session: Session,
  { runs, interrupts }: { readonly runs: readonly RunSummary[]; readonly interrupts: Interrupts },
): Promise<void> {
  const { out, style } = progressStream(context);
  if (runs.length > 0)
    out.write(
      `${style.yellow("note:")} ${countUnfinished(runs.length)} by an earlier command. Resuming first.\n`,
    );
  for (const run of runs) {
    if (interrupts.cancel.aborted) return;
    try {
      await resumeRun(context, session, { run, interrupts, statusText: "resumed" });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      warn(context, error);
    }
  }
}

function countUnfinished(amount: number): string {
  return amount === 1 ? "1 run was left unfinished" : `${amount} runs were left unfinished`;
}

interface ResumeOptions {
  readonly run: RunSummary;
  readonly interrupts: Interrupts;
  /** Text after the title of the run. */
  readonly statusText: string;
}

/** Takes ownership of a run without an owner and drives it to its end, or until the user forces the command to end. */
export async function resumeRun(
  context: CommandContext,
  { client }: Session,
  { run, interrupts, statusText }: ResumeOptions,
): Promise<void> {
  const { deps } = context;
  const { out, style } = progressStream(context);
  const title = runTitle(run);
  await client.resume(run.id);
  out.write(`${mark("running", style)} ${title} ${statusText}\n`);
  let canceling: Promise<unknown> = Promise.resolve();
  const cancel = () => {
    out.write(`canceling ${title}, press Ctrl-C again to force\n`);
    canceling = client.cancel(run.id, deps.login()).catch((error: unknown) => warn(context, error));
  };
  interrupts.cancel.addEventListener("abort", cancel, { once: true });
  try {
    const options = {
      client,
      view: silentView,
      clock: deps.clock,
      signal: interrupts.force,
      logs: "none" as const,
    };
    let final = await followRun({ ...options, run: await client.get(run.id) });
    if (!isFinalRun(final.status)) {
      await client.force(run.id);
      final = await client.get(run.id);
    }
    if (!isFinalRun(final.status))
      return note(
        context,
        `Unfinished: ${title}. Resume it with: shipinator resume ${await resumeArgument(context, client, run)}`,
      );
    const time = elapsed(final.started_at, final.finished_at, deps.clock.now());
    const took = time === null ? "" : ` after ${formatDuration(time)}`;
    out.write(`${mark(final.status, style)} ${title}: ${paintStatus(final.status, style)}${took}\n`);
  } finally {
    interrupts.cancel.removeEventListener("abort", cancel);
    await canceling;
  }
}
