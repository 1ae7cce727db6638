/** Runs, their logs and artifacts, for one caller. */
import { isFinalExecution } from "../../domain/index.ts";
import { brandId, type ExecutionId, isId, Problem, type RunId, type StepId } from "../../kernel/index.ts";
import type { ExecutionRow, RunSummaryRows } from "../../store/index.ts";
import { sees } from "../auth/caller.ts";
import { type CallerContext, notThere, present } from "../catalog/catalog.ts";
import type { Client } from "../client.ts";
import type { ServiceDeps } from "../deps.ts";
import { tailBytes } from "./excerpt.ts";
import { findArtifact, findRun, noRun } from "./find.ts";
import { followLog, followRun } from "./follow.ts";
import { presentArtifact, presentDetail, presentNew, presentRun } from "./present.ts";
import { retry } from "./retry.ts";
import { runListFilter } from "./run-filter.ts";
import { accept } from "./trigger.ts";
import { explain } from "./why.ts";

type RunOperations = Pick<
  Client,
  | "trigger"
  | "list"
  | "get"
  | "head"
  | "events"
  | "eventPieces"
  | "log"
  | "logInfo"
  | "logTimes"
  | "executionOf"
  | "logTail"
  | "cancel"
  | "force"
  | "retry"
  | "why"
  | "artifact"
  | "download"
>;

export function runOperations(context: CallerContext): RunOperations {
  const { deps, caller, authorize } = context;

  async function detail(runId: RunId) {
    const { store } = await deps.database();
    const rows = await store.runs.summary(runId);
    if (rows === null) throw notThere("run", runId);
    return presentDetail(deps, rows);
  }

  async function visible(reference: string) {
    return await findRun((await deps.database()).store, caller, reference);
  }

  async function visibleExecution(id: string): Promise<ExecutionRow> {
    const { store } = await deps.database();
    const found = isId(id) ? await store.executions.get(brandId<ExecutionId>(id)) : null;
    const run = found === null ? null : await store.runs.get(found.pipeline_run_id);
    if (found === null || run === null || !sees(caller, run.project_id)) throw notThere("execution", id);
    return found;
  }

  async function start(id: RunId): Promise<void> {
    const { orchestrator } = await deps.database();
    orchestrator.own([{ id }]);
    void orchestrator.enqueue(id);
  }

  const who = (by: string) => (caller.tokenId === null ? by : caller.name);

  return {
    trigger: (request, signal) =>
      authorize(request.source.kind === "pipeline" ? "runs.trigger" : "local.run", async (audit) => {
        const kind = request.cause ?? (caller.tokenId === null ? "manual" : "api");
        const asking = { caller, request, cause: { kind, actor: who(request.by), delivery: null }, audit };
        const { runId, notes, unresolved } = await accept(deps, asking, signal);
        if (unresolved !== null) {
          await start(runId);
          return { run: presentNew(deps, unresolved), notes };
        }
        // Together: the run shall not be as old as its answer before anything of it begins.
        const [run] = await Promise.all([detail(runId), start(runId)]);
        return { run, notes };
      }),
    list: ({ limit, cursor, ...filter }) =>
      authorize("runs.list", async () => {
        const { store } = await deps.database();
        const page = {
          ...(limit === undefined ? {} : { limit }),
          ...(cursor === undefined ? {} : { cursor }),
        };
        return present(await store.runs.list(await runListFilter(store, caller, filter), page), presentRun);
      }),
    get: (reference) =>
      authorize("runs.get", async () => {
        // A whole id needs no search.
        if (!isId(reference)) return await detail((await visible(reference)).id);
        const { store } = await deps.database();
        const rows = await store.runs.summary(brandId<RunId>(reference));
        if (rows === null || !sees(caller, rows.run.project_id)) throw noRun(reference);
        return presentDetail(deps, rows);
      }),
    head: (reference) =>
      authorize("runs.get", async () => {
        const run = await visible(reference);
        return { ...presentRun(run), seq: run.seq };
      }),
    async *events(reference, afterSeq, signal) {
      const run = await authorize("runs.events", () => visible(reference));
      for await (const piece of followRun(deps, run.id, afterSeq, signal)) yield* piece;
    },
    async *eventPieces(reference, afterSeq, signal) {
      const run = await authorize("runs.events", () => visible(reference));
      yield* followRun(deps, run.id, afterSeq, signal);
    },
    async *log(request, signal) {
      const execution = await authorize("logs.read", () => visibleExecution(request.executionId));
      yield* followLog(deps, { ...request, executionId: execution.id }, signal);
    },
    logInfo: (executionId) =>
      authorize("logs.read", async () => {
        const { id, status, log_dropped, executor_type } = await visibleExecution(executionId);
        const ended = isFinalExecution(status);
        const { store } = await deps.database();
        const isReported = ended && deps.capabilitiesOf(executor_type).reportsLogs;
        const report = isReported ? await store.reports.get(id) : null;
        return {
          bytes: await deps.logs.size(id),
          dropped: ended ? (log_dropped ?? 0) : null,
          state: ended ? "ended" : "open",
          log_incomplete: report !== null && report.log_complete !== true,
        };
      }),
    logTimes: (executionId) =>
      authorize("logs.read", async () => {
        const { id, completed_at: end } = await visibleExecution(executionId);
        const [times, bytes] = [await deps.logs.times(id), await deps.logs.size(id)];
        const last = end !== null && bytes > (times.at(-1)?.offset ?? 0) ? [{ offset: bytes, at: end }] : [];
        return [...times, ...last].map(({ offset, at }) => ({ offset, at: at.toISOString() }));
      }),
    executionOf: (stepId) =>
      authorize("logs.read", async () => {
        const { store } = await deps.database();
        const attempts = isId(stepId) ? await store.executions.ofStep(brandId<StepId>(stepId)) : [];
        const newest = attempts.at(-1);
        const run = newest === undefined ? null : await store.runs.get(newest.pipeline_run_id);
        if (newest === undefined || run === null || !sees(caller, run.project_id))
          throw notThere("attempt at a step", stepId);
        return newest.id;
      }),
    logTail: (executionId, lines) =>
      authorize("logs.read", async () => {
        const { id } = await visibleExecution(executionId);
        return await deps.logs.tail(id, lines, tailBytes);
      }),
    cancel: (reference, by) =>
      authorize("runs.cancel", async (audit) => {
        const run = await visible(reference);
        audit({ project: run.project_id, entity: run.id });
        const { store, orchestrator } = await deps.database();
        const answer = await store.runs.requestCancel(run.id, who(by), audit.done());
        await orchestrator.enqueue(run.id);
        return answer;
      }),
    force: (reference) =>
      authorize("runs.cancel", async (audit) => {
        const run = await visible(reference);
        audit({ project: run.project_id, entity: run.id });
        const { store, orchestrator } = await deps.database();
        const rows = await store.runs.summary(run.id);
        if (rows === null) return;
        await killAtOnce(deps.executor, rows);
        await orchestrator.observe(run.id);
      }),
    retry: (request) =>
      authorize("runs.retry", async (audit) => {
        const run = await visible(request.run);
        audit({ project: run.project_id, entity: run.id });
        const { runId, notes } = await retry(deps, run, { ...request, by: who(request.by) }, audit);
        await start(runId);
        return { run: await detail(runId), notes };
      }),
    why: (reference) => authorize("runs.why", async () => explain(deps, (await visible(reference)).id)),
    artifact: (reference) =>
      authorize("artifacts.get", async () => {
        const { store } = await deps.database();
        return presentArtifact((await findArtifact(store, caller, reference)).artifact);
      }),
    async *download(reference, signal, range) {
      const { artifact } = await authorize("artifacts.download", async () =>
        findArtifact((await deps.database()).store, caller, reference),
      );
      const { id, checksum: sha256, size, name, expired_at } = artifact;
      if (expired_at !== null) throw new Problem("gone", `the artifact ${name} (${id}) has expired`);
      const { artifacts } = await deps.database();
      yield* artifacts.open({ id, sha256, size, name }, range, signal);
    },
  };
}

/** A second cancel with less grace hurries the one that the orchestrator waits for. */
async function killAtOnce(
  executor: ServiceDeps["executor"],
  { jobs, steps, executions }: RunSummaryRows,
): Promise<void> {
  const live = executions.filter((execution) => !isFinalExecution(execution.status));
  await Promise.all(
    live.map(async ({ id: executionId, job_step_id: stepId, attempt }) => {
      const job = jobs.find(({ id }) => steps.some((step) => step.id === stepId && step.job_id === id));
      if (job === undefined) return;
      const handle = { executionId, stepId, attempt, jobId: job.id, jobAttempt: job.attempt };
      await executor.cancel(handle, "canceled", 0);
    }),
  );
}
