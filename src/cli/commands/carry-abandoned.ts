/** Before a new run: the runs that a killed process left behind are carried to their end, one line each. */
import { isFinalRun } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { RunSummary } from "../../services/index.ts";
import { type CommandContext, note } from "../context.ts";
import type { Session } from "../deps.ts";
import { warn } from "../errors.ts";
import type { Interrupts } from "../interrupts.ts";
import { resumeWords } from "../printed.ts";
import { elapsed, formatDuration } from "../terminal/format.ts";
import { followRun, type RunView } from "../watch/follow-run.ts";
import { mark, paintStatus, runTitle } from "../watch/step-line.ts";
import { progressStream } from "../watch/watch-run.ts";

const silent: RunView = { changed() {}, started() {}, log: async () => {}, ended() {} };

/** A run that cannot be continued is named and left; the others and the new run do not wait for it. */
export async function carryAbandoned(
  context: CommandContext,
  session: Session,
  { runs, interrupts }: { readonly runs: readonly RunSummary[]; readonly interrupts: Interrupts },
): Promise<void> {
  const { out, style } = progressStream(context);
  if (runs.length > 0)
    out.write(`${style.yellow("note:")} ${left(runs.length)} by an earlier command; continuing first\n`);
  for (const run of runs) {
    if (interrupts.asked.aborted) return;
    try {
      await carry(context, session, { run, interrupts, says: "continues" });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      warn(context, error);
    }
  }
}

function left(amount: number): string {
  return amount === 1 ? "1 run was left unfinished" : `${amount} runs were left unfinished`;
}

interface CarryOptions {
  readonly run: RunSummary;
  readonly interrupts: Interrupts;
  /** What becomes of it, after its title. */
  readonly says: string;
}

/** Takes over a run that nobody carries and stays until it is over, or the person insists on leaving it. */
export async function carry(
  context: CommandContext,
  { client }: Session,
  { run, interrupts, says }: CarryOptions,
): Promise<void> {
  const { deps } = context;
  const { out, style } = progressStream(context);
  const title = runTitle(run);
  await client.resume(run.id);
  out.write(`${mark("running", style)} ${title} ${says}\n`);
  let canceling: Promise<unknown> = Promise.resolve();
  const cancel = () => {
    out.write(`canceling ${title}; press Ctrl-C again to insist\n`);
    canceling = client.cancel(run.id, deps.login()).catch((error: unknown) => warn(context, error));
  };
  interrupts.asked.addEventListener("abort", cancel, { once: true });
  try {
    const options = {
      client,
      view: silent,
      clock: deps.clock,
      signal: interrupts.insisted,
      logs: "none" as const,
    };
    let final = await followRun({ ...options, run: await client.get(run.id) });
    if (!isFinalRun(final.status)) {
      await client.insist(run.id);
      final = await client.get(run.id);
    }
    if (!isFinalRun(final.status))
      return note(
        context,
        `${title} is left unfinished; this continues it: shipinator resume ${await resumeWords(context, client, run)}`,
      );
    const time = elapsed(final.started_at, final.finished_at, deps.clock.now());
    const took = time === null ? "" : ` after ${formatDuration(time)}`;
    out.write(`${mark(final.status, style)} ${title}: ${paintStatus(final.status, style)}${took}\n`);
  } finally {
    interrupts.asked.removeEventListener("abort", cancel);
    await canceling;
  }
}
