/** `shipinator list`: the newest runs on this data directory. */
import type { CauseKind, RunState } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { RunFilter, RunSummary } from "../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../context.ts";
import { EXIT } from "../errors.ts";
import { withReader } from "../session.ts";
import { elapsed, formatAge, formatDuration } from "../terminal/format.ts";
import { type Column, renderTable } from "../terminal/table.ts";
import { paintStatus, pipelineTitle, refName } from "../watch/step-line.ts";
import { timeOf } from "./time-argument.ts";

export interface ListArguments {
  readonly limit: number;
  readonly status: RunState | null;
  readonly project: string | null;
  readonly cause: CauseKind | null;
  /** `[PROJECT/]PIPELINE`. */
  readonly pipeline: string | null;
  readonly branch: string | null;
  /** A time, or how long ago: `2h`. */
  readonly since: string | null;
}

const PAGE = 100;

export async function listCommand(context: CommandContext, args: ListArguments): Promise<number> {
  return await withReader(context, async ({ client }) => {
    const filter = filterOf(args, context.deps.clock.now());
    const runs: RunSummary[] = [];
    let cursor: string | null = null;
    do {
      const page = await client.list({
        limit: Math.min(PAGE, args.limit - runs.length),
        ...filter,
        ...(cursor === null ? {} : { cursor }),
      });
      runs.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null && runs.length < args.limit);
    if (asData(context)) await writeData(context, runs);
    else if (runs.length === 0)
      note(
        context,
        Object.keys(filter).length === 0
          ? "no runs yet; this makes one: shipinator run"
          : "no run is as the options ask",
      );
    else context.out.write(renderRuns(context, runs));
    return EXIT.done;
  });
}

function filterOf({ status, cause, project, pipeline, branch, since }: ListArguments, now: Date): RunFilter {
  if (branch !== null && (pipeline === null || status !== null))
    throw new Problem("usage", "--branch goes with --pipeline, and not together with --status", {
      remedy: "Name one pipeline with --pipeline, and leave --status out.",
    });
  if (cause !== null && ((pipeline === null && project === null) || status !== null || branch !== null))
    throw new Problem(
      "usage",
      "--cause goes with --pipeline or --project, and not with --status or --branch.",
      {
        remedy: "Name one pipeline with --pipeline or one project with --project, and leave the others out.",
      },
    );
  return {
    ...(cause === null ? {} : { cause }),
    ...(status === null ? {} : { status }),
    ...(project === null ? {} : { project }),
    ...(pipeline === null ? {} : { pipeline }),
    ...(branch === null ? {} : { ref: branch }),
    ...(since === null ? {} : { since: timeOf(since, { option: "--since", now, direction: "back" }) }),
  };
}

function renderRuns({ deps, out, style }: CommandContext, runs: readonly RunSummary[]): string {
  const now = deps.clock.now();
  const columns: readonly Column<RunSummary>[] = [
    { header: "RUN", align: "right", text: ({ number }) => String(number) },
    {
      header: "STATUS",
      text: ({ status }) => status,
      paint: (text, { status }) => paintStatus(status, style, text),
    },
    { header: "PIPELINE", shrinkTo: 12, text: pipelineTitle },
    { header: "REF", shrinkTo: 6, text: ({ git_ref }) => refName(git_ref ?? "-") },
    {
      header: "COMMIT",
      narrow: "left out",
      text: ({ git_sha, dirty }) => (git_sha === null ? "-" : `${git_sha.slice(0, 7)}${dirty ? "+" : ""}`),
    },
    { header: "CAUSE", narrow: "left out", text: ({ cause }) => cause.kind },
    { header: "STARTED", text: ({ created_at }) => (out.isTTY ? formatAge(created_at, now) : created_at) },
    { header: "TOOK", align: "right", text: (run) => took(run, now) },
    { header: "REASON", narrow: "left out", text: ({ failure_reason }) => failure_reason ?? "" },
  ];
  const reasons = runs.some(({ failure_reason }) => failure_reason !== null);
  return renderTable(reasons ? columns : columns.slice(0, -1), runs, {
    style,
    width: out.isTTY ? out.columns : null,
  });
}

function took(run: RunSummary, now: Date): string {
  const ms = elapsed(run.started_at, run.finished_at, now);
  return ms === null ? "-" : formatDuration(ms);
}
