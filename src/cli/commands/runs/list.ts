/** `shipinator list`: the newest runs. */
import type { CauseKind, RunState } from "../../../domain/index.ts";
import { Problem } from "../../../kernel/index.ts";
import type { RunFilter, RunSummary } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { elapsed, formatAge, formatDuration } from "../../terminal/format.ts";
import { type Column, renderTable } from "../../terminal/table.ts";
import { paintStatus, pipelineTitle, refName } from "../../watch/step-line.ts";
import { parseTime } from "./parse-time.ts";

export interface ListArguments {
  readonly limit: number;
  readonly status: RunState | null;
  readonly project: string | null;
  readonly cause: CauseKind | null;
  /** `[PROJECT/]PIPELINE`. */
  readonly pipeline: string | null;
  readonly branch: string | null;
  /** A time, or a duration before now such as `2h`. */
  readonly since: string | null;
}

const PAGE = 100;

export async function listCommand(context: CommandContext, args: ListArguments): Promise<number> {
  return await withClient(context, async ({ client }) => {
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
          ? "There are no runs yet. Start one with: shipinator run"
          : "No run matches the options.",
      );
    else context.out.write(renderRuns(context, runs));
    return EXIT.done;
  });
}

function filterOf({ status, cause, project, pipeline, branch, since }: ListArguments, now: Date): RunFilter {
  if (branch !== null && (pipeline === null || status !== null))
    throw new Problem("usage", "--branch requires --pipeline and excludes --status.", {
      remedy: "Name one pipeline with --pipeline, and remove --status.",
    });
  if (cause !== null && ((pipeline === null && project === null) || status !== null || branch !== null))
    throw new Problem(
      "usage",
      "--cause requires --pipeline or --project and excludes --status and --branch.",
      {
        remedy:
          "Name one pipeline with --pipeline or one project with --project, and remove the other options.",
      },
    );
  return {
    ...(cause === null ? {} : { cause }),
    ...(status === null ? {} : { status }),
    ...(project === null ? {} : { project }),
    ...(pipeline === null ? {} : { pipeline }),
    ...(branch === null ? {} : { ref: branch }),
    ...(since === null ? {} : { since: parseTime(since, { option: "--since", now, direction: "back" }) }),
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
      whenNarrow: "hidden",
      text: ({ git_sha, dirty }) => (git_sha === null ? "-" : `${git_sha.slice(0, 7)}${dirty ? "+" : ""}`),
    },
    { header: "CAUSE", whenNarrow: "hidden", text: ({ cause }) => cause.kind },
    { header: "STARTED", text: ({ created_at }) => (out.isTTY ? formatAge(created_at, now) : created_at) },
    { header: "TOOK", align: "right", text: (run) => took(run, now) },
    { header: "REASON", whenNarrow: "hidden", text: ({ failure_reason }) => failure_reason ?? "" },
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
