/** `shipinator cancel`, `retry`, `why` and `events`. */
import { Problem } from "../../../kernel/index.ts";
import { gapLine, type RunEvent } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withInterrupts } from "../../interrupts.ts";
import { openClient, withClient } from "../../session.ts";
import { formatAge } from "../../terminal/format.ts";
import { sanitizeLine, sanitizeName, sanitizeText } from "../../terminal/sanitize.ts";
import { renderTable } from "../../terminal/table.ts";
import { runTitle } from "../../watch/step-line.ts";
import { type ShowMode, showAccepted } from "./accepted-run.ts";
import { resumeRun } from "./resume-abandoned.ts";

/** Cancels a run. Without a server, this command drives a run without an owner to its end. */
async function cancel(context: CommandContext, which: string): Promise<number> {
  const { deps, out } = context;
  const statusText = "is being canceled";
  return await withInterrupts(deps, 2, async (interrupts) => {
    const session = await openClient(context, "run");
    try {
      const { client, location } = session;
      const run = await client.get(which);
      const answer = await client.cancel(run.id, deps.login());
      const isAbandoned = location === "local" && (await client.abandoned()).some(({ id }) => id === run.id);
      if (isAbandoned) await resumeRun(context, session, { run, interrupts, statusText });
      else if (answer !== "final" && !asData(context))
        out.write(
          `${runTitle(run)} ${statusText}${location === "local" ? " by the process that drives it" : ""}\n`,
        );
      if (asData(context)) await writeData(context, await client.get(run.id));
      else if (answer === "final") note(context, `The run has already ended: ${run.status}.`);
      return EXIT.done;
    } finally {
      await session.close();
    }
  });
}

export interface RetryArguments {
  readonly which: string;
  readonly what: "whole" | "failed";
  readonly show: ShowMode;
}

export async function retryCommand(
  context: CommandContext,
  { which, what, show }: RetryArguments,
): Promise<number> {
  return await showAccepted(context, show, async ({ client, location }) => {
    if (location === "local")
      throw new Problem("usage", "There is no server to drive the run.", {
        remedy: "Start one with: shipinator serve",
      });
    return await client.retry({ run: which, what, by: context.deps.login() });
  });
}

async function why(context: CommandContext, which: string): Promise<number> {
  const { out, style } = context;
  return await withClient(context, async ({ client }) => {
    const answer = await client.why(which);
    if (asData(context)) await writeData(context, answer);
    else {
      out.write(`${answer.status}: ${sanitizeText(answer.summary)}\n`);
      for (const text of answer.notes) out.write(`note: ${sanitizeName(text)}\n`);
      for (const line of answer.causes.flatMap(({ excerpt }) => excerpt ?? []))
        out.write(`  ${style.dim("|")} ${line === gapLine ? style.marks.more : sanitizeLine(line)}\n`);
    }
    return EXIT.done;
  });
}

async function events(context: CommandContext, which: string): Promise<number> {
  const { deps, out, style } = context;
  return await withClient(context, async ({ client }, signal) => {
    const run = await client.get(which);
    const seen: RunEvent[] = [];
    const enough = new AbortController();
    for await (const event of client.events(run.id, 0, AbortSignal.any([signal, enough.signal]))) {
      seen.push(event);
      if (event.seq >= run.seq) break;
    }
    enough.abort();
    if (asData(context)) await writeData(context, seen);
    else
      out.write(
        renderTable<RunEvent>(
          [
            { header: "SEQ", align: "right", text: ({ seq }) => String(seq) },
            { header: "WHEN", text: ({ at }) => (out.isTTY ? formatAge(at, deps.clock.now()) : at) },
            { header: "WHAT", text: ({ entity }) => entity },
            { header: "FROM", text: ({ from }) => from ?? "-" },
            { header: "TO", text: ({ to }) => to },
            { header: "CAUSE", shrinkTo: 8, text: ({ cause }) => sanitizeName(cause) },
            { header: "ID", shrinkTo: 8, text: ({ entity_id }) => entity_id },
          ],
          seen,
          { style, width: out.isTTY ? out.columns : null },
        ),
      );
    return EXIT.done;
  });
}

export const runVerbs = { cancel, why, events } as const;
