/** Output of `trigger` and `retry`: the accepted run, or with `--follow` its progress to the end. */
import { isFinalRun } from "../../../domain/index.ts";
import type { RunAccepted } from "../../../services/index.ts";
import { asData, type CommandContext, writeData } from "../../context.ts";
import type { Session } from "../../deps.ts";
import { EXIT } from "../../errors.ts";
import { type Interrupts, withInterrupts } from "../../interrupts.ts";
import { openClient } from "../../session.ts";
import { runArgument } from "../../suggested-arguments.ts";
import { renderSummary } from "../../summary.ts";
import { runTitle } from "../../watch/step-line.ts";
import { progressStream, watchRun } from "../../watch/watch-run.ts";

export type ShowMode = "to_the_end" | "accepted";

/** Requests a run and shows it. @param request throws when there is no server to drive the run */
export async function showAccepted(
  context: CommandContext,
  show: ShowMode,
  request: (session: Session, signal: AbortSignal) => Promise<RunAccepted>,
): Promise<number> {
  return await withInterrupts(context.deps, 2, async (interrupts) => {
    const session = await openClient(context);
    try {
      const accepted = await request(session, interrupts.cancel);
      if (show === "to_the_end") return await follow(context, session, accepted, interrupts);
      await printAccepted(context, session, accepted);
      return EXIT.done;
    } finally {
      await session.close();
    }
  });
}

async function printAccepted(context: CommandContext, session: Session, { run }: RunAccepted): Promise<void> {
  if (asData(context)) return await writeData(context, run);
  const reference = await runArgument(context, session, run);
  context.out.write(`Accepted ${runTitle(run)}.\n  Follow it with: shipinator logs ${reference} --follow\n`);
}

/** Shows the run to its end. @returns the exit code of the run's result */
async function follow(
  context: CommandContext,
  session: Session,
  { run, notes }: RunAccepted,
  interrupts: Interrupts,
): Promise<number> {
  const final = await watchRun({ context, session, run, notes, interrupts });
  const { out: progress, style } = progressStream(context);
  const now = context.deps.clock.now();
  const { client } = session;
  const reference = await runArgument(context, session, final);
  progress.write(`\n${await renderSummary({ run: final, client, reference, style, now })}`);
  if (asData(context)) await writeData(context, final);
  if (interrupts.cancel.aborted || !isFinalRun(final.status)) return EXIT.interrupted;
  return final.status === "success" ? EXIT.done : EXIT.failed;
}
