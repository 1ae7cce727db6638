/** The summary of a run at its end, and for `status` at any time. */
import { isFinalRun } from "../domain/index.ts";
import { shellWord } from "../kernel/index.ts";
import {
  type ArtifactDetail,
  type Client,
  excerptLines,
  excerptOf,
  gapLine,
  type JobDetail,
  type RunDetail,
  type StepDetail,
} from "../services/index.ts";
import { count, elapsed, formatDuration, formatSize } from "./terminal/format.ts";
import { sanitizeLine, sanitizeName, sanitizeText } from "./terminal/sanitize.ts";
import type { Style } from "./terminal/style.ts";
import { cut, padEnd, padStart, widthOf } from "./terminal/width.ts";
import { lastLines } from "./watch/log-lines.ts";
import { lastExecution, mark, paintStatus, runTitle, stepDuration, stepRemark } from "./watch/step-line.ts";

export interface SummaryOptions {
  readonly run: RunDetail;
  readonly client: Client;
  /** Reference to the run in suggested commands. */
  readonly reference: string;
  readonly style: Style;
  readonly now: Date;
}

/** Number of steps above which a stage lists only failed and slow steps. */
const MANY_STEPS = 30;
const NAMED_STEPS = 3;
const NAMED_FAILURES = 10;
const DEPLOY_LINES = 3;
/** Maximum length of a line, because some tools write megabytes without a line break. */
const LINE_CELLS = 400;

export async function renderSummary(options: SummaryOptions): Promise<string> {
  const { run, style, reference } = options;
  const blocks = [
    stages(options),
    run.notes.map((text) => `${style.dim("note:")} ${sanitizeName(text)}\n`).join(""),
    await deployOutput(options),
    ...(await failures(options)),
    artifacts(run.artifacts, style),
    `${style.bold("More")}  shipinator logs ${reference} ${style.dim(style.marks.dot)} shipinator artifacts ${reference}\n`,
    resultLine(options),
  ];
  return blocks.filter((block) => block !== "").join("\n");
}

/** Newest attempt of each stage. */
function newestJobs(run: RunDetail): readonly JobDetail[] {
  const newest = new Map<string, JobDetail>();
  for (const job of run.jobs)
    if (job.attempt >= (newest.get(job.name)?.attempt ?? 0)) newest.set(job.name, job);
  return [...newest.values()];
}

function stages({ run, style, now }: SummaryOptions): string {
  const jobs = newestJobs(run);
  const width = Math.max(
    8,
    ...jobs.flatMap((job) => job.steps.map(({ name }) => widthOf(sanitizeName(name)) + 4)),
  );
  let text = "";
  for (const job of jobs) {
    const attempt = job.attempt > 1 ? style.dim(` attempt ${job.attempt}`) : "";
    const duration = stepDuration(job, now);
    text += `${style.bold(padEnd(job.name, width))}  ${paintStatus(job.status, style)}${duration === "" ? "" : `  ${duration}`}${attempt}\n`;
    const rest = job.steps.length > MANY_STEPS ? notable(job.steps, now) : job.steps;
    for (const step of rest) {
      const tail = [stepRemark(step), stepDuration(step, now), cutRemark(step)]
        .filter((part) => part !== "")
        .join("  ");
      text += `${`  ${mark(step.status, style)} ${padEnd(sanitizeName(step.name), width - 4)}  ${tail}`.trimEnd()}\n`;
    }
    const hidden = job.steps.filter((step) => !rest.includes(step));
    if (hidden.length > 0) text += `  ${style.dim(`${style.marks.more} and ${tally(hidden)}`)}\n`;
  }
  return text;
}

/** A remark on a truncated log, independent of the step's result. */
function cutRemark(step: StepDetail): string {
  const dropped = lastExecution(step)?.log_dropped ?? 0;
  return dropped === 0 ? "" : `log truncated: ${formatSize(dropped)} over the limit`;
}

/** The failed and the slowest steps. */
function notable(steps: readonly StepDetail[], now: Date): readonly StepDetail[] {
  const time = (step: StepDetail) => elapsed(step.started_at, step.finished_at, now) ?? 0;
  const failed = steps.filter((step) => step.status === "failed").slice(0, NAMED_FAILURES);
  const slowest = steps.toSorted((a, b) => time(b) - time(a)).slice(0, NAMED_STEPS);
  return steps.filter((step) => failed.includes(step) || slowest.includes(step));
}

/** Counts steps by status: `995 succeeded, 2 skipped`. */
function tally(steps: readonly StepDetail[]): string {
  const counts = new Map<string, number>();
  for (const { status } of steps) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, amount]) => `${amount.toLocaleString("en-US")} ${status}`).join(", ");
}

/** The last log lines of a deploy, which usually show the address. */
async function deployOutput({ run, client, style }: SummaryOptions): Promise<string> {
  let text = "";
  for (const job of newestJobs(run)) {
    if (job.job_type !== "deploy" || job.status !== "succeeded") continue;
    for (const step of job.steps) {
      const execution = lastExecution(step);
      if (execution === null || execution.log_bytes === 0) continue;
      const tail = await client.logTail(execution.id, DEPLOY_LINES);
      for (const line of lastLines(tail, DEPLOY_LINES, sanitizeLine))
        text += `  ${cut(line, LINE_CELLS, style.marks.more)}\n`;
    }
  }
  return text === "" ? "" : `${style.bold("Deployed")}\n${text}`;
}

async function failures({ run, client, reference, style }: SummaryOptions): Promise<readonly string[]> {
  const jobs = newestJobs(run);
  const failed = jobs.flatMap((job) =>
    job.steps.filter(({ status }) => status === "failed").map((step) => ({ job, step })),
  );
  const blocks: string[] = [];
  for (const { job, step } of failed.slice(0, NAMED_FAILURES))
    blocks.push(await failure({ job, step, client, reference, style }));
  if (failed.length > NAMED_FAILURES)
    blocks.push(style.dim(`and ${count(failed.length - NAMED_FAILURES, "more failed step")}\n`));
  if (failed.length === 0 && run.failure_reason !== null && run.status !== "canceled") {
    const because = run.failure_message === null ? "" : `: ${sanitizeText(run.failure_message)}`;
    blocks.push(`${mark("failed", style)} ${run.failure_reason}${because}\n`);
  }
  return blocks;
}

interface Failure {
  readonly job: JobDetail;
  readonly step: StepDetail;
  readonly client: Client;
  readonly reference: string;
  readonly style: Style;
}

async function failure({ job, step, client, reference, style }: Failure): Promise<string> {
  const execution = lastExecution(step);
  const name = `${job.name}/${sanitizeName(step.name)}`;
  let text = `${mark("failed", style)} ${style.bold(name)}: ${style.red(stepRemark(step))}\n`;
  if (execution === null) return text;
  if (execution.message !== null) text += `  ${sanitizeText(execution.message)}\n`;
  if (execution.log_bytes !== 0) {
    for (const line of excerptOf(await client.logTail(execution.id, excerptLines)))
      text += `  ${style.dim("|")} ${line === gapLine ? style.marks.more : cut(sanitizeLine(line), LINE_CELLS, style.marks.more)}\n`;
  }
  const size = execution.log_bytes ? ` (${formatSize(execution.log_bytes)})` : "";
  return `${text}  whole log${size}: shipinator logs ${reference} --step ${shellWord(name)}\n`;
}

function artifacts(list: readonly ArtifactDetail[], style: Style): string {
  if (list.length === 0) return "";
  const width = (texts: readonly string[]) => Math.max(...texts.map(widthOf));
  const names = width(list.map(({ name }) => name));
  const types = width(list.map(({ artifact_type }) => artifact_type));
  const sizes = width(list.map(({ size }) => formatSize(size)));
  let text = `${style.bold("Artifacts")}\n`;
  for (const artifact of list) {
    const { name, artifact_type: type, size, checksum, storage_path, metadata } = artifact;
    text += `  ${padEnd(name, names)}  ${padEnd(type, types)}  ${padStart(formatSize(size), sizes)}\n`;
    text += `    sha256:${checksum}\n`;
    if (metadata.ref !== undefined)
      text += `    ${sanitizeName(metadata.ref)} ${metadata.imageDigest ?? ""}`.trimEnd().concat("\n");
    text += `    ${sanitizeName(storage_path)}\n`;
  }
  return text;
}

function resultLine({ run, style, now }: SummaryOptions): string {
  const time = elapsed(run.started_at ?? run.created_at, run.finished_at, now);
  const took =
    time === null || run.started_at === null
      ? ""
      : ` ${isFinalRun(run.status) ? "in" : "for"} ${formatDuration(time)}`;
  const reason = run.status === "failed" && run.failure_reason !== null ? ` (${run.failure_reason})` : "";
  return `${mark(run.status, style)} ${runTitle(run)}: ${paintStatus(run.status, style)}${reason}${took}\n`;
}
