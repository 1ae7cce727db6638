/** A run that a server has just accepted, for `trigger` and `retry`: named, or with `--follow` shown to its end. */
import { isFinalRun } from "../../domain/index.ts";
import type { RunAccepted } from "../../services/index.ts";
import { asData, type CommandContext, writeData } from "../context.ts";
import type { Session } from "../deps.ts";
import { EXIT } from "../errors.ts";
import { type Interrupts, withInterrupts } from "../interrupts.ts";
import { runWords } from "../printed.ts";
import { openReader } from "../session.ts";
import { renderSummary } from "../summary.ts";
import { runTitle } from "../watch/step-line.ts";
import { progressStream, watchRun } from "../watch/watch-run.ts";

export type Show = "to_the_end" | "accepted";

/** Asks for a run, and shows it. @param ask throws where no server is known: nobody would carry the run */
export async function withAccepted(
  context: CommandContext,
  show: Show,
  ask: (session: Session, signal: AbortSignal) => Promise<RunAccepted>,
): Promise<number> {
  return await withInterrupts(context.deps, 2, async (interrupts) => {
    const session = await openReader(context);
    try {
      const accepted = await ask(session, interrupts.asked);
      if (show === "to_the_end") return await follow(context, session, accepted, interrupts);
      await tell(context, session, accepted);
      return EXIT.done;
    } finally {
      await session.close();
    }
  });
}

async function tell(context: CommandContext, session: Session, { run }: RunAccepted): Promise<void> {
  if (asData(context)) return await writeData(context, run);
  const reference = await runWords(context, session, run);
  context.out.write(
    `${runTitle(run)} is accepted\n  follow it with: shipinator logs ${reference} --follow\n`,
  );
}

/** Ends as the run does. */
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
  const reference = await runWords(context, session, final);
  progress.write(`\n${await renderSummary({ run: final, client, reference, style, now })}`);
  if (asData(context)) await writeData(context, final);
  if (interrupts.asked.aborted || !isFinalRun(final.status)) return EXIT.interrupted;
  return final.status === "success" ? EXIT.done : EXIT.failed;
}
