/** `shipinator trigger PIPELINE`: a run on the server; with `--follow` shown to its end. */
import { isFinalRun } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import { asData, type CommandContext, writeData } from "../context.ts";
import type { Session } from "../deps.ts";
import { EXIT } from "../errors.ts";
import { withInterrupts } from "../interrupts.ts";
import { openReader, runReference } from "../session.ts";
import { renderSummary } from "../summary.ts";
import { runTitle } from "../watch/step-line.ts";
import { progressStream, watchRun } from "../watch/watch-run.ts";
import { parseStages } from "./run.ts";

export interface TriggerArguments {
  readonly pipeline: string;
  readonly ref: string | null;
  readonly sha: string | null;
  /** As written: `build,test`. */
  readonly only: string | null;
  readonly show: "to_the_end" | "accepted";
}

export async function triggerCommand(context: CommandContext, args: TriggerArguments): Promise<number> {
  const { deps, out } = context;
  const only = args.only === null ? null : parseStages([args.only]);
  return await withInterrupts(deps, 2, async (interrupts) => {
    const session = await openReader(context);
    try {
      refuseWithoutServer(session.place);
      const { pipeline, ref, sha, show } = args;
      const { run, notes } = await session.client.trigger(
        { source: { kind: "pipeline", pipeline, ref, sha, validate: "later" }, only, by: deps.login() },
        interrupts.asked,
      );
      const { client } = session;
      if (show === "accepted") {
        if (asData(context)) await writeData(context, run);
        else {
          const reference = await runReference(client, run);
          out.write(
            `${runTitle(run)} is accepted\n  follow it with: shipinator logs ${reference} --follow\n`,
          );
        }
        return EXIT.done;
      }
      const final = await watchRun({ context, session, run, notes, interrupts });
      const { out: progress, style } = progressStream(context);
      const now = deps.clock.now();
      const reference = await runReference(client, final);
      progress.write(`\n${await renderSummary({ run: final, client, reference, style, now })}`);
      if (asData(context)) await writeData(context, final);
      if (interrupts.asked.aborted || !isFinalRun(final.status)) return EXIT.interrupted;
      return final.status === "success" ? EXIT.done : EXIT.failed;
    } finally {
      await session.close();
    }
  });
}

/** A command's own process cannot carry a run that it does not wait for. */
function refuseWithoutServer(place: Session["place"]): void {
  if (place === "server") return;
  throw new Problem("usage", "no server is known that could run a pipeline", {
    remedy: "Start one with: shipinator serve. Or run a directory here and now: shipinator run",
  });
}
