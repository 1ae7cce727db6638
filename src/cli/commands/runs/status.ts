/** `shipinator status RUN`: the current state of a run. The exit code is always 0. */
import { asData, type CommandContext, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { runArgument } from "../../suggested-arguments.ts";
import { renderSummary } from "../../summary.ts";
import { formatAge } from "../../terminal/format.ts";
import { runCause, runHead } from "../../watch/step-line.ts";

export async function statusCommand(context: CommandContext, which: string): Promise<number> {
  const { deps, out, style } = context;
  return await withClient(context, async (session) => {
    const { client } = session;
    const run = await client.get(which);
    if (asData(context)) {
      await writeData(context, run);
      return EXIT.done;
    }
    const now = deps.clock.now();
    const reference = await runArgument(context, session, run);
    const created = out.isTTY ? formatAge(run.created_at, now) : run.created_at;
    out.write(`${runHead(run, style)}, ${created}\nid ${run.id}\ncause ${runCause(run)}\n\n`);
    out.write(await renderSummary({ run, client, reference, style, now }));
    return EXIT.done;
  });
}
