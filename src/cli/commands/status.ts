/** `shipinator status RUN`: one run, now. Exits 0 whatever its state. */
import { asData, type CommandContext, writeData } from "../context.ts";
import { EXIT } from "../errors.ts";
import { runWords } from "../printed.ts";
import { withReader } from "../session.ts";
import { renderSummary } from "../summary.ts";
import { formatAge } from "../terminal/format.ts";
import { runCause, runHead } from "../watch/step-line.ts";

export async function statusCommand(context: CommandContext, which: string): Promise<number> {
  const { deps, out, style } = context;
  return await withReader(context, async (session) => {
    const { client } = session;
    const run = await client.get(which);
    if (asData(context)) {
      await writeData(context, run);
      return EXIT.done;
    }
    const now = deps.clock.now();
    const reference = await runWords(context, session, run);
    const created = out.isTTY ? formatAge(run.created_at, now) : run.created_at;
    out.write(`${runHead(run, style)}, ${created}\nid ${run.id}\ncause ${runCause(run)}\n\n`);
    out.write(await renderSummary({ run, client, reference, style, now }));
    return EXIT.done;
  });
}
