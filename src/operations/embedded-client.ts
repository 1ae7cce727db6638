/** The `Client` over this process's own store and orchestrator. */
import { isFinalExecution } from "../domain/index.ts";
import { brandId, type ExecutionId, Problem, type RunId } from "../kernel/index.ts";
import type { ArtifactRow, RunRow, RunSummaryRows, Store } from "../store/index.ts";
import type { Client, RunSummary } from "./client.ts";
import { deploymentOperations } from "./deployments.ts";
import type { OperationsDeps } from "./deps.ts";
import { followLog, followRun } from "./follow.ts";
import { presentArtifact, presentDetail, presentRun } from "./present.ts";
import { abandonedRuns, takeOver } from "./recovery.ts";
import { accept } from "./trigger.ts";

const tailBytes = 64 * 1024;

export function createEmbeddedClient(deps: OperationsDeps): Client {
  async function detail(runId: RunId) {
    const { store } = await deps.database();
    const rows = await store.runs.summary(runId);
    if (rows === null) throw new Problem("not_found", `there is no run ${runId}`);
    return presentDetail(rows);
  }

  return {
    async trigger(request, signal) {
      const { runId, notes } = await accept(deps, request, signal);
      const run = await detail(runId);
      const { orchestrator } = await deps.database();
      void orchestrator.carry(runId).catch((error: unknown) => {
        deps.log.error(
          { pipeline_run_id: runId, error: Problem.from(error).message },
          "the first advance failed",
        );
      });
      return { run, notes };
    },
    async list({ limit, cursor, ...filter }) {
      const { store } = await deps.database();
      const request = {
        ...(limit === undefined ? {} : { limit }),
        ...(cursor === undefined ? {} : { cursor }),
      };
      const page = await store.runs.list(filter, request);
      return { items: page.items.map(presentRun), next_cursor: page.nextCursor };
    },
    async get(reference) {
      const { store } = await deps.database();
      return detail((await findRun(store, reference)).id);
    },
    events: (runId, afterSeq, signal) => followRun(deps, brandId<RunId>(runId), afterSeq, signal),
    log: (request, signal) => followLog(deps, request, signal),
    logTail: (executionId, lines) => deps.logs.tail(brandId<ExecutionId>(executionId), lines, tailBytes),
    async cancel(runId, by) {
      const { store, orchestrator } = await deps.database();
      const answer = await store.runs.requestCancel(brandId<RunId>(runId), by);
      await orchestrator.advance(brandId<RunId>(runId));
      return answer;
    },
    async insist(runId) {
      const { store, orchestrator } = await deps.database();
      const rows = await store.runs.summary(brandId<RunId>(runId));
      if (rows === null) return;
      await killAtOnce(deps.executor, rows);
      await orchestrator.record(rows.run.id);
    },
    async artifact(reference) {
      const { store } = await deps.database();
      return presentArtifact(await findArtifact(store, reference));
    },
    async *download(artifactId, signal) {
      const { store, artifacts } = await deps.database();
      const { id, checksum: sha256, size, name, expired_at } = await findArtifact(store, artifactId);
      if (expired_at !== null) throw new Problem("gone", `the artifact ${name} (${id}) has expired`);
      yield* artifacts.open({ id, sha256, size, name }, undefined, signal);
    },
    ...deploymentOperations(deps),
    async abandoned(): Promise<readonly RunSummary[]> {
      return (await abandonedRuns(deps)).map(presentRun);
    },
    async resume(runId) {
      await takeOver(deps, brandId<RunId>(runId));
      const { orchestrator } = await deps.database();
      await orchestrator.carry(brandId<RunId>(runId));
    },
  };
}

/** A second cancel with less grace hurries the one that the orchestrator waits for. */
async function killAtOnce(
  executor: OperationsDeps["executor"],
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

async function findRun(store: Store, reference: string): Promise<RunRow> {
  const found = await candidates(store, reference);
  if (found.length === 1 && found[0] !== undefined) return found[0];
  if (found.length > 1)
    throw new Problem("usage", `${JSON.stringify(reference)} names more than one run`, {
      remedy: `say which: ${found.map((run) => `${run.id} (${run.pipeline} #${run.number})`).join(", ")}`,
    });
  throw new Problem("not_found", `there is no run ${JSON.stringify(reference)}`, {
    remedy: "see which there are: shipinator list",
  });
}

async function candidates(store: Store, reference: string): Promise<readonly RunRow[]> {
  if (reference === "latest") {
    const latest = await store.runs.latest();
    return latest === null ? [] : [latest];
  }
  const number = /^#?(\d{1,9})$/.exec(reference)?.[1];
  const numbered = number === undefined ? [] : await store.runs.findByNumber(Number(number));
  // Digits alone may also begin an id; a number is what people mean.
  return numbered.length > 0 ? numbered : store.runs.findByPrefix(reference);
}

async function findArtifact(store: Store, reference: string): Promise<ArtifactRow> {
  const slash = reference.lastIndexOf("/");
  if (slash > 0) return namedArtifact(store, reference.slice(0, slash), reference.slice(slash + 1));
  const found = await store.artifacts.findByPrefix(reference);
  if (found.length === 1 && found[0] !== undefined) return found[0];
  if (found.length > 1)
    throw new Problem("usage", `${JSON.stringify(reference)} names more than one artifact`, {
      remedy: `say which: ${found.map((one) => `${one.id} (${one.name})`).join(", ")}`,
    });
  throw new Problem("not_found", `there is no artifact ${JSON.stringify(reference)}`, {
    remedy: "name it by id or as RUN/NAME; shipinator artifacts RUN lists them",
  });
}

async function namedArtifact(store: Store, reference: string, name: string): Promise<ArtifactRow> {
  const run = await findRun(store, reference);
  const artifact = await store.artifacts.named(run.id, name);
  if (artifact !== null) return artifact;
  const names = (await store.artifacts.ofRun(run.id)).map((one) => one.name);
  throw new Problem(
    "not_found",
    `run ${run.pipeline} #${run.number} has no artifact ${JSON.stringify(name)}`,
    {
      remedy: names.length === 0 ? "it has none" : `it has: ${names.join(", ")}`,
    },
  );
}
