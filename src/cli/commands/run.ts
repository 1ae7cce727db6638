/** `shipinator run` and `shipinator resume`. */
import { resolve } from "node:path";
import { isFinalRun, type JobType, jobTypes } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { RunDetail, RunSummary, TriggerRequest } from "../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../context.ts";
import type { Session } from "../deps.ts";
import { EXIT } from "../errors.ts";
import { type Interrupts, withInterrupts } from "../interrupts.ts";
import { resumeWords, runWords } from "../printed.ts";
import { renderSummary } from "../summary.ts";
import { runTitle } from "../watch/step-line.ts";
import { whileWaiting } from "../watch/waiting.ts";
import { progressStream, watchRun } from "../watch/watch-run.ts";
import { carryAbandoned } from "./carry-abandoned.ts";

export interface RunArguments {
  readonly target: string;
  readonly ref: string | null;
  readonly only: readonly JobType[] | null;
}

export async function runCommand(context: CommandContext, args: RunArguments): Promise<number> {
  const { deps } = context;
  const source = sourceOf(args, deps.cwd);
  return await carrying(context, async (session, interrupts) => {
    const { asked } = interrupts;
    // The first question starts the database, which takes a while the first time.
    const abandoned = await whileWaiting(context, { label: "starting", asked }, () =>
      session.client.abandoned(),
    );
    await carryAbandoned(context, session, { runs: abandoned, interrupts });
    if (asked.aborted) return EXIT.interrupted;
    const request: TriggerRequest = { source, only: args.only, by: deps.login() };
    const { run, notes } = await whileWaiting(context, { label: "reading the repository", asked }, () =>
      session.client.trigger(request, asked),
    );
    const shown = await showRun({ context, session, run, notes, interrupts });
    if (asData(context)) await writeData(context, shown.run);
    return shown.code;
  });
}

export async function resumeCommand(context: CommandContext, which: string | null): Promise<number> {
  return await carrying(context, async (session, interrupts) => {
    const { client } = session;
    const runs = which === null ? await client.abandoned() : [await abandonedRun(context, session, which)];
    if (runs.length === 0) note(context, "no run waits to be continued");
    let code: number = EXIT.done;
    const ended: RunDetail[] = [];
    for (const { id } of runs) {
      await client.resume(id);
      const shown = await showRun({ context, session, run: await client.get(id), notes: [], interrupts });
      if (shown.code !== EXIT.done) code = shown.code;
      ended.push(shown.run);
      if (interrupts.asked.aborted) break;
    }
    // What was asked for by name is one; whatever waits is a list, also when it is none.
    if (asData(context)) await writeData(context, which === null ? ended : ended[0]);
    return code;
  });
}

/** The stages named in `--only build,test`. */
export function parseStages(values: readonly string[]): readonly JobType[] {
  const named = values.flatMap((value) => value.split(",")).map((name) => name.trim());
  return named.map((name) => {
    const stage = jobTypes.find((type) => type === name);
    if (stage !== undefined) return stage;
    const remedy = `The stages are ${jobTypes.join(", ")}; several are separated by commas.`;
    throw new Problem("usage", `--only names a stage that does not exist: "${name}"`, { remedy });
  });
}

/** Anything with a scheme, `helper::address`, or `user@host:path` is an address, everything else a path. */
function sourceOf({ target, ref }: RunArguments, cwd: string): TriggerRequest["source"] {
  const isAddress = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/|:)/.test(target) || /^[^/\s:@]+@[^/\s:]+:/.test(target);
  if (target === "")
    throw new Problem("usage", "the path to run is empty", { remedy: "Use . for this directory." });
  if (isAddress) return { kind: "repository", url: target, ref };
  return { kind: "directory", path: resolve(cwd, target), ref };
}

async function carrying(
  context: CommandContext,
  work: (session: Session, interrupts: Interrupts) => Promise<number>,
): Promise<number> {
  const { deps, configFile } = context;
  return await withInterrupts(deps, 2, async (interrupts) => {
    const session = await deps.openClient({ mode: "run", configFile });
    try {
      return interrupts.asked.aborted ? EXIT.interrupted : await work(session, interrupts);
    } finally {
      await session.close();
    }
  });
}

interface ShowOptions {
  readonly context: CommandContext;
  readonly session: Session;
  readonly run: RunDetail;
  readonly notes: readonly string[];
  readonly interrupts: Interrupts;
}

async function showRun(options: ShowOptions): Promise<{ readonly code: number; readonly run: RunDetail }> {
  const { context, session, interrupts } = options;
  const { deps } = context;
  const run = await watchRun(options);
  if (!isFinalRun(run.status)) {
    const words = await resumeWords(context, session.client, run);
    note(context, `${runTitle(run)} is left unfinished; this continues it: shipinator resume ${words}`);
    return { code: EXIT.interrupted, run };
  }
  const { out, style } = progressStream(context);
  const now = deps.clock.now();
  const reference = await runWords(context, session, run);
  const summary = await renderSummary({ run, client: session.client, reference, style, now });
  out.write(`\n${summary}${style.dim(`everything is kept in ${session.dataDir}`)}\n`);
  if (interrupts.asked.aborted) return { code: EXIT.interrupted, run };
  return { code: run.status === "success" ? EXIT.done : EXIT.failed, run };
}

async function abandonedRun(context: CommandContext, session: Session, which: string): Promise<RunSummary> {
  const { client } = session;
  const run = await client.get(which);
  const abandoned = await client.abandoned();
  if (abandoned.some(({ id }) => id === run.id)) return run;
  const state = isFinalRun(run.status) ? `it is over (${run.status})` : "another process carries it";
  throw new Problem("conflict", `${runTitle(run)} does not wait to be continued: ${state}`, {
    remedy: `See it with: shipinator status ${await runWords(context, session, run)}`,
  });
}
