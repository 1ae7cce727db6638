/** `shipinator logs RUN`: the bytes of one step, or the lines of all steps with the step's name. */
import { isFinalRun, isFinalStage } from "../../../domain/index.ts";
import { type Clock, Problem } from "../../../kernel/index.ts";
import type { Client, RunDetail } from "../../../services/index.ts";
import { type CommandContext, note } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { noteAbandoned, withClient } from "../../session.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { followRun, type RunView } from "../../watch/follow-run.ts";
import { lineTimes } from "../../watch/line-times.ts";
import { createLogPrinter, type LogPrinter } from "../../watch/log-printer.ts";
import { RunModel, type WatchedStep } from "../../watch/run-model.ts";

export interface LogsArguments {
  readonly run: string;
  /** `NAME` or `STAGE/NAME`. */
  readonly step: string | null;
  readonly follow: "to_the_end" | "so_far";
  readonly timestamps: "shown" | "none";
}

export async function logsCommand(context: CommandContext, args: LogsArguments): Promise<number> {
  const { deps, out, style } = context;
  return await withClient(context, async ({ client }, signal) => {
    const run = await client.get(args.run);
    const chosen = args.step === null ? null : chooseStep(run, args.step);
    const form = out.isTTY ? "elapsed" : "absolute";
    const printer = createLogPrinter({
      out,
      style,
      prefix: chosen === null ? "step" : "none",
      ...(args.timestamps === "none"
        ? {}
        : { stamps: (attempt) => lineTimes({ client, clock: deps.clock, form }, attempt) }),
    });
    if (args.follow === "to_the_end" && !isFinalRun(run.status)) {
      // An abandoned run does not end by itself, so a follower must know about it.
      await noteAbandoned(context, client, run);
      await follow({ client, run, chosen, printer, signal, clock: deps.clock });
    } else await printSoFar({ client, run, chosen, printer, signal });
    if (!isFinalRun(run.status) && args.follow === "so_far" && !signal.aborted)
      note(context, `The run has not ended. Add --follow to see the rest.`);
    return EXIT.done;
  });
}

interface LogSelection {
  readonly client: Client;
  readonly run: RunDetail;
  readonly chosen: WatchedStep | null;
  readonly printer: LogPrinter;
  readonly signal: AbortSignal;
}

async function printSoFar({ client, run, chosen, printer, signal }: LogSelection): Promise<void> {
  for (const watched of new RunModel(run).steps) {
    if (chosen !== null && watched.step.id !== chosen.step.id) continue;
    for (const execution of watched.step.executions) {
      if (execution.begun_at === null || execution.log_bytes === 0) continue;
      for await (const chunk of client.log({ executionId: execution.id, offset: 0, follow: false }, signal))
        await printer.log(watched, chunk.bytes, execution);
    }
    printer.end(watched);
  }
}

/** Prints log lines: of one step until it ends, or of all steps until the run ends. */
async function follow({
  chosen,
  printer,
  signal,
  ...rest
}: LogSelection & { readonly clock: Clock }): Promise<void> {
  const over = new AbortController();
  const wants = ({ step }: WatchedStep) => chosen === null || step.id === chosen.step.id;
  const view: RunView = {
    changed() {},
    started() {},
    log: printer.log,
    ended(watched) {
      printer.end(watched);
      if (chosen !== null && wants(watched)) over.abort();
    },
  };
  await followRun({
    ...rest,
    view,
    includes: wants,
    signal: AbortSignal.any([signal, over.signal]),
    logs: "complete",
  });
}

/** Finds the step with this name in the newest attempt. */
function chooseStep(run: RunDetail, name: string): WatchedStep {
  const steps = new RunModel(run).steps;
  const full = steps.filter(({ job, step, label }) => label === name || `${job.name}/${step.name}` === name);
  const found = full.length > 0 ? full : steps.filter(({ step }) => step.name === name);
  const stages = new Set(found.map(({ job }) => job.name));
  const latest =
    found.findLast(({ step }) => !isFinalStage(step.status) || step.started_at !== null) ?? found.at(-1);
  if (latest !== undefined && stages.size === 1) return latest;
  const names = [...new Set(steps.map(({ job, step }) => `${job.name}/${step.name}`))].map(sanitizeName);
  if (latest === undefined)
    throw new Problem("not_found", `The run has no step "${sanitizeName(name)}".`, {
      remedy:
        names.length === 0
          ? "It has no steps yet."
          : `Its steps are ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}.`,
    });
  throw new Problem("usage", `Several stages have a step "${sanitizeName(name)}".`, {
    remedy: `Add the stage: ${[...stages].map((stage) => `--step ${stage}/${name}`).join(" or ")}.`,
  });
}
