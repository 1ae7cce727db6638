/** `shipinator run` and `shipinator resume`. */
import { resolve } from "node:path";
import { isFinalRun, type JobType, jobTypes } from "../../../domain/index.ts";
import { Problem } from "../../../kernel/index.ts";
import type { RunDetail, RunSummary, TriggerRequest } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import type { Session } from "../../deps.ts";
import { EXIT } from "../../errors.ts";
import { type Interrupts, withInterrupts } from "../../interrupts.ts";
import { resumeArgument, runArgument } from "../../suggested-arguments.ts";
import { renderSummary } from "../../summary.ts";
import { withSpinner } from "../../watch/spinner.ts";
import { runTitle } from "../../watch/step-line.ts";
import { progressStream, watchRun } from "../../watch/watch-run.ts";
import { resumeAbandoned } from "./resume-abandoned.ts";

export interface RunArguments {
  readonly target: string;
  readonly ref: string | null;
  readonly only: readonly JobType[] | null;
}

export async function runCommand(context: CommandContext, args: RunArguments): Promise<number> {
  const { deps } = context;
  const source = sourceOf(args, deps.cwd);
  return await withRunClient(context, async (session, interrupts) => {
    const { cancel } = interrupts;
    // The first request starts the database, which takes a while the first time.
    const abandoned = await withSpinner(context, { label: "starting", cancel }, () =>
      session.client.abandoned(),
    );
    await resumeAbandoned(context, session, { runs: abandoned, interrupts });
    if (cancel.aborted) return EXIT.interrupted;
    const request: TriggerRequest = { source, only: args.only, by: deps.login() };
    const { run, notes } = await withSpinner(context, { label: "reading the repository", cancel }, () =>
      session.client.trigger(request, cancel),
    );
    const shown = await showRun({ context, session, run, notes, interrupts });
    if (asData(context)) await writeData(context, shown.run);
    return shown.code;
  });
}

export async function resumeCommand(context: CommandContext, which: string | null): Promise<number> {
  return await withRunClient(context, async (session, interrupts) => {
    const { client } = session;
    const runs = which === null ? await client.abandoned() : [await abandonedRun(context, session, which)];
    if (runs.length === 0) note(context, "There is no unfinished run.");
    let code: number = EXIT.done;
    const ended: RunDetail[] = [];
    for (const { id } of runs) {
      await client.resume(id);
      const shown = await showRun({ context, session, run: await client.get(id), notes: [], interrupts });
      if (shown.code !== EXIT.done) code = shown.code;
      ended.push(shown.run);
      if (interrupts.cancel.aborted) break;
    }
    // A named run is one object. All unfinished runs are a list, even an empty one.
    if (asData(context)) await writeData(context, which === null ? ended : ended[0]);
    return code;
  });
}

/** Parses the stages in `--only build,test`. */
export function parseStages(values: readonly string[]): readonly JobType[] {
  const named = values.flatMap((value) => value.split(",")).map((name) => name.trim());
  return named.map((name) => {
    const stage = jobTypes.find((type) => type === name);
    if (stage !== undefined) return stage;
    const remedy = `The stages are ${jobTypes.join(", ")}. Separate several with commas.`;
    throw new Problem("usage", `--only names an unknown stage: "${name}".`, { remedy });
  });
}

/** Text with a scheme, `helper::address` and `user@host:path` are addresses; everything else is a path. */
function sourceOf({ target, ref }: RunArguments, cwd: string): TriggerRequest["source"] {
  const isAddress = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/|:)/.test(target) || /^[^/\s:@]+@[^/\s:]+:/.test(target);
  if (target === "")
    throw new Problem("usage", "The path to run is empty.", { remedy: "Use . for this directory." });
  if (isAddress) return { kind: "repository", url: target, ref };
  return { kind: "directory", path: resolve(cwd, target), ref };
}

async function withRunClient(
  context: CommandContext,
  work: (session: Session, interrupts: Interrupts) => Promise<number>,
): Promise<number> {
  const { deps, configFile } = context;
  return await withInterrupts(deps, 2, async (interrupts) => {
    const session = await deps.openClient({ mode: "run", configFile });
    try {
      return interrupts.cancel.aborted ? EXIT.interrupted : await work(session, interrupts);
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
    const words = await resumeArgument(context, session.client, run);
    note(context, `Unfinished: ${runTitle(run)}. Resume it with: shipinator resume ${words}`);
    return { code: EXIT.interrupted, run };
  }
  const { out, style } = progressStream(context);
  const now = deps.clock.now();
  const reference = await runArgument(context, session, run);
  const summary = await renderSummary({ run, client: session.client, reference, style, now });
  out.write(`\n${summary}${style.dim(`Data directory: ${session.dataDir}`)}\n`);
  if (interrupts.cancel.aborted) return { code: EXIT.interrupted, run };
  return { code: run.status === "success" ? EXIT.done : EXIT.failed, run };
}

async function abandonedRun(context: CommandContext, session: Session, which: string): Promise<RunSummary> {
  const { client } = session;
  const run = await client.get(which);
  const abandoned = await client.abandoned();
  if (abandoned.some(({ id }) => id === run.id)) return run;
  const state = isFinalRun(run.status) ? `it has ended (${run.status})` : "another process drives it";
  throw new Problem("conflict", `The run cannot be resumed, because ${state}.`, {
    remedy: `Show it with: shipinator status ${await runArgument(context, session, run)}`,
  });
}
