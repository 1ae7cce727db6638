/** Texts about steps, jobs and runs that all views share. */
import type { RunState, StageState } from "../../domain/index.ts";
import { assertNever } from "../../kernel/index.ts";
import type { ExecutionDetail, RunDetail, RunSummary, StepDetail } from "../../services/index.ts";
import { elapsed, formatDuration } from "../terminal/format.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import type { Style } from "../terminal/style.ts";

export function mark(status: StageState | RunState, style: Style): string {
  const { marks } = style;
  switch (status) {
    case "succeeded":
    case "success":
      return style.green(marks.ok);
    case "failed":
      return style.red(marks.failed);
    case "canceled":
      return style.yellow(marks.passed);
    case "skipped":
      return style.dim(marks.passed);
    case "pending":
      return style.dim(marks.dot);
    case "running":
      return style.cyan(marks.started);
    default:
      return assertNever(status, "status");
  }
}

export function paintStatus(status: StageState | RunState, style: Style, text: string = status): string {
  if (status === "failed") return style.red(text);
  if (status === "canceled") return style.yellow(text);
  if (status === "success" || status === "succeeded") return style.green(text);
  return status === "running" ? style.cyan(text) : style.dim(text);
}

/** The newest execution, which decides the result. */
export function lastExecution(step: StepDetail): ExecutionDetail | null {
  return step.executions.toSorted((a, b) => a.attempt - b.attempt).at(-1) ?? null;
}

/** `1.2s`, or empty when it never ran. */
export function stepDuration(step: Pick<StepDetail, "started_at" | "finished_at">, now: Date): string {
  const ms = elapsed(step.started_at, step.finished_at, now);
  return ms === null ? "" : formatDuration(ms);
}

/** A remark after the name: empty for success, else the reason and the exit status. */
export function stepRemark(step: StepDetail): string {
  if (step.status === "skipped" || step.status === "canceled") return step.status;
  if (step.status !== "failed") return "";
  const execution = lastExecution(step);
  const exit = execution?.exit_code ?? null;
  const word = execution?.failure_reason ?? "failed";
  return exit === null ? word : `${word}, exit status ${exit}`;
}

/** `run 12 of hello`. */
export function runTitle(run: Pick<RunSummary, "number" | "project" | "pipeline">): string {
  return `run ${run.number} of ${pipelineTitle(run)}`;
}

/** `web`, or `shop/web` when the project has another name. */
export function pipelineTitle({ project, pipeline }: Pick<RunSummary, "project" | "pipeline">): string {
  return sanitizeName(project === pipeline ? pipeline : `${project}/${pipeline}`);
}

/** `main` for `refs/heads/main`. */
export function refName(ref: string): string {
  return sanitizeName(ref.replace(/^refs\/(heads|tags)\//, ""));
}

/** `main, commit 1a2b3c4 with uncommitted changes, in examples/hello`, or empty when unknown. */
export function runSource(run: Source): string {
  const parts: string[] = [];
  if (run.git_ref !== null && run.git_ref !== run.git_sha) parts.push(refName(run.git_ref));
  if (run.git_sha !== null)
    parts.push(`commit ${run.git_sha.slice(0, 7)}${run.dirty ? " with uncommitted changes" : ""}`);
  // Until the source is resolved, a run has no jobs and its commit is unknown.
  else if (run.jobs.length > 0) parts.push("no commit");
  if (run.subpath !== null && run.subpath !== "" && run.subpath !== ".")
    parts.push(`in ${sanitizeName(run.subpath)}`);
  return parts.join(", ");
}

/** `manual by ada`. */
export function runCause({ cause }: Pick<RunSummary, "cause">): string {
  return `${cause.kind} by ${sanitizeName(cause.actor)}`;
}

type Source = Pick<RunDetail, "git_ref" | "git_sha" | "dirty" | "subpath" | "jobs">;

/** `run 12 of hello (main, commit 1a2b3c4)`. */
export function runHead(run: Source & Parameters<typeof runTitle>[0], style: Style): string {
  const source = runSource(run);
  return `${style.bold(runTitle(run))}${source === "" ? "" : style.dim(` (${source})`)}`;
}
