/** A person's retry: a new run of the same commit, tree and file. The old run never changes. */
import { isFinalRun, jobTypes } from "../../domain/index.ts";
import { Problem, type RunId } from "../../kernel/index.ts";
import type { RunRow } from "../../store/index.ts";
import type { Audit } from "../auth/authorize.ts";
import { checkId } from "../catalog/names.ts";
import type { RetryRequest } from "../client.ts";
import type { OpenDatabase, ServiceDeps } from "../deps.ts";
import { type Remainder, remainderOf } from "./adoption.ts";
import { planStages, requestedStages, variablesOf } from "./plan-run.ts";
import { runName } from "./references.ts";

type RetryDeps = Pick<ServiceDeps, "inators" | "graceSeconds"> & {
  readonly database: () => Promise<Pick<OpenDatabase, "store" | "owner">>;
  readonly executor: Pick<ServiceDeps["executor"], "type">;
};

/**
 * Nothing is fetched. A run that was never resolved is resolved anew: its ref may name another commit by now.
 * @throws Problem conflict: it is not over, or nothing of it failed; gone: what would be taken over has expired
 */
export async function retry(
  deps: RetryDeps,
  run: RunRow,
  request: RetryRequest,
  audit: Pick<Audit, "done">,
): Promise<{ readonly runId: RunId; readonly notes: readonly string[] }> {
  const { store, owner } = await deps.database();
  const again = {
    ...(request.id === undefined ? {} : { id: checkId<RunId>(request.id) }),
    pipelineId: run.pipeline_id,
    executorType: deps.executor.type,
    trigger: { kind: "retry", actor: request.by, delivery: null },
    retriedFrom: run.id,
    owner,
    cause: `retry by ${request.by}`,
  } as const;
  // Asked again, the answer is the same, whatever has expired since.
  const before = again.id === undefined ? null : await store.runs.acceptedBefore({ ...again, id: again.id });
  if (before !== null) return { runId: before.id, notes: [] };
  if (!isFinalRun(run.status))
    throw new Problem("conflict", `Run ${runName(run)} is not over: it is ${run.status}.`, {
      remedy: "Wait for its end, or cancel it first.",
    });
  const stored = run.config_digest === null ? null : await store.pipelines.config(run.config_digest);
  if (stored === null) {
    const requested = { gitRef: run.git_ref, gitSha: run.git_sha, requestedStages: run.requested_stages };
    const submitted = await store.runs.submit({ ...again, ...requested }, audit.done());
    return { runId: submitted.id, notes: [] };
  }
  const { config } = stored;
  const { stages, adopted } = request.what === "failed" ? await remainder(deps, run) : wholeOf(run);
  const planned = requestedStages(config, stages, adopted.stages);
  const source = {
    commit: run.git_sha,
    ref: run.git_ref,
    branch: run.branch,
    tag: run.tag,
    pipeline: run.pipeline,
  };
  const accepted = await store.runs.accept(
    {
      ...again,
      gitRef: run.git_ref,
      gitSha: run.git_sha,
      tree: run.tree,
      subpath: run.subpath,
      worktree: run.dirty ? "dirty" : "clean",
      branch: run.branch,
      tag: run.tag,
      requestedStages: stages,
      config,
      reused: adopted,
    },
    (identity) =>
      planStages(deps, { stages: planned, adopted: adopted.stages }, config, variablesOf(source, identity)),
    audit.done(),
  );
  return { runId: accepted.id, notes: [] };
}

type Part = Omit<Remainder, "stages"> & { readonly stages: Remainder["stages"] | null };

/** All that the run was for, what it had taken over included. */
function wholeOf({ requested_stages: requested, reused_stages: taken }: RunRow): Part {
  const stages =
    requested === null ? null : jobTypes.filter((one) => requested.includes(one) || taken.includes(one));
  return { stages, adopted: { stages: [], artifacts: [] } };
}

async function remainder(deps: RetryDeps, run: RunRow): Promise<Part> {
  const { store } = await deps.database();
  const rows = await store.runs.summary(run.id);
  const found = rows === null ? null : remainderOf(rows);
  if (found === null) throw new Problem("not_found", `there is no run ${run.id}`);
  if (found.stages.length === 0)
    throw new Problem(
      "conflict",
      `Every stage of run ${runName(run)} succeeded, so nothing failed that could run again.`,
      { remedy: `Run it whole: shipinator retry ${run.id}` },
    );
  return found.adopted.stages.length === 0 ? wholeOf(run) : found;
}
