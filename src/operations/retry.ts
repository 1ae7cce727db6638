/** A person's retry: a new run of the same commit, tree and file. The old run never changes. */
import { isFinalRun } from "../domain/index.ts";
import { brandId, Problem, type RunId } from "../kernel/index.ts";
import type { RunRow } from "../store/index.ts";
import type { RetryRequest } from "./client.ts";
import type { OperationsDeps } from "./deps.ts";
import { planStages, requestedStages, variablesOf } from "./plan-run.ts";

/**
 * A run that was never resolved is resolved anew: its ref may name another commit by now.
 * @throws Problem conflict while the run is not over
 */
export async function retry(
  deps: OperationsDeps,
  run: RunRow,
  request: RetryRequest,
): Promise<{ readonly runId: RunId; readonly notes: readonly string[] }> {
  if (!isFinalRun(run.status))
    throw new Problem("conflict", `run ${run.pipeline} #${run.number} is not over: it is ${run.status}`, {
      remedy: "Wait for its end, or cancel it first.",
    });
  const { store, owner } = await deps.database();
  const stored = run.config_digest === null ? null : await store.pipelines.config(run.config_digest);
  const accepted = await store.runs.accept(
    {
      ...(request.id === undefined ? {} : { id: brandId<RunId>(request.id) }),
      pipelineId: run.pipeline_id,
      executorType: deps.executor.type,
      trigger: "manual",
      gitRef: run.git_ref,
      gitSha: run.git_sha,
      tree: run.tree,
      subpath: run.subpath,
      worktree: run.dirty ? "dirty" : "clean",
      branch: run.branch,
      tag: run.tag,
      requestedStages: run.requested_stages,
      config: stored?.config ?? null,
      retriedFrom: run.id,
      owner,
      cause: `retry by ${request.by}`,
    },
    (identity) => {
      if (stored === null) return [];
      const { config } = stored;
      const source = {
        commit: run.git_sha,
        ref: run.git_ref,
        branch: run.branch,
        tag: run.tag,
        pipeline: run.pipeline,
      };
      return planStages(
        deps,
        requestedStages(config, run.requested_stages),
        config,
        variablesOf(source, identity),
      );
    },
  );
  return { runId: accepted.id, notes: [] };
}
