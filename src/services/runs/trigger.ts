/**
 * Accepts a run. Of a directory or an address: source → tree → file → plans, then one transaction; what is found wrong
 * before that is a Problem and makes no run. Of a registered pipeline: at once, and resolved afterwards by whoever
 * carries it. The tree is in the mirror before a run has steps, so every job sees one tree.
 */
import type { StepPlan, TriggerCause } from "../../domain/index.ts";
import { newId, type PipelineId, Problem, type ProjectId, type RunId } from "../../kernel/index.ts";
import { checkRef, isCommitId } from "../../source/index.ts";
import type { RunRow, SubmittedRun } from "../../store/index.ts";
import type { Audit } from "../auth/authorize.ts";
import type { Caller } from "../auth/caller.ts";
import { checkId } from "../catalog/names.ts";
import type { TriggerRequest } from "../client.ts";
import type { ServiceDeps } from "../deps.ts";
import { findPipeline } from "./find.ts";
import { planStages, readPipelineFile, requestedStages, variablesOf } from "./plan-run.ts";
import {
  pipelineSourceOf,
  type ResolvedSource,
  resolvePipelineSource,
  resolveSource,
} from "./resolve-source.ts";

type Asked<K extends TriggerRequest["source"]["kind"]> = Extract<TriggerRequest["source"], { kind: K }>;

interface Accepted {
  readonly runId: RunId;
  readonly notes: readonly string[];
  /** Its row, where it was written just now and waits to be resolved. */
  readonly unresolved: RunRow | null;
}

export interface Asking {
  readonly caller: Caller;
  readonly request: TriggerRequest;
  readonly cause: TriggerCause;
  /** Told what the run is, before it is made where that is written down together with it. */
  readonly audit: Audit;
}

export async function accept(deps: ServiceDeps, asking: Asking, signal: AbortSignal): Promise<Accepted> {
  const { source: asked } = asking.request;
  if (asked.kind === "pipeline") return await acceptPipeline(deps, { ...asking, asked }, signal);
  const source = await resolveSource(deps, asked, signal);
  const pipelineId = () => ensurePipeline(deps, source);
  return await acceptResolved(deps, { ...asking, source, project: null, pipelineId });
}

interface PipelineRequest extends Asking {
  readonly asked: Asked<"pipeline">;
}

async function acceptPipeline(
  deps: ServiceDeps,
  { caller, request, cause, audit, asked }: PipelineRequest,
  signal: AbortSignal,
): Promise<Accepted> {
  const { store } = await deps.database();
  const pipeline = await findPipeline(store, caller, asked.pipeline);
  const ref = asked.ref === null ? null : checkRef(asked.ref);
  if (asked.sha !== null && !isCommitId(asked.sha))
    throw new Problem("usage", `${JSON.stringify(asked.sha)} is no full commit id`, {
      place: "sha",
      remedy: "Give all 40 (or 64) hex digits, or name a ref.",
    });
  const sha = asked.sha?.toLowerCase() ?? null;
  if (asked.validate === "now") {
    const named = pipelineSourceOf(pipeline.name, pipeline);
    const source = await resolvePipelineSource(deps, named, { ref, sha }, signal);
    const { project_id: project, id: pipelineId } = pipeline;
    return await acceptResolved(deps, {
      request,
      cause,
      audit,
      source,
      project,
      pipelineId: async () => pipelineId,
    });
  }
  const run = await newRun(deps, { ...request, cause }, pipeline.id);
  audit({ project: pipeline.project_id, entity: run.id });
  const { written } = await store.runs.submit({ ...run, gitRef: ref, gitSha: sha }, audit.done());
  return { runId: run.id, notes: [], unresolved: written };
}

interface ResolvedRequest extends Omit<Asking, "caller"> {
  readonly project: ProjectId | null;
  readonly source: ResolvedSource;
  readonly pipelineId: () => Promise<PipelineId>;
}

async function acceptResolved(
  deps: ServiceDeps,
  { request, cause, audit, source, project, pipelineId }: ResolvedRequest,
): Promise<Accepted> {
  const [{ config, notes }, pointers] = await Promise.all([
    readPipelineFile(deps, source),
    deps.source.countPointers({ repositoryId: source.mirror, tree: source.tree }),
  ]);
  const stages = requestedStages(config, request.only);
  const { store } = await deps.database();
  const run = await newRun(deps, { ...request, cause }, await pipelineId());
  const planned: StepPlan[] = [];
  audit({ project, entity: run.id });
  await store.runs.accept(
    {
      ...run,
      gitRef: source.ref,
      gitSha: source.commit,
      tree: source.tree,
      subpath: source.subpath,
      worktree: source.dirty ? "dirty" : "clean",
      branch: source.branch,
      tag: source.tag,
      config,
    },
    (identity) => {
      const jobs = planStages(deps, { stages, adopted: [] }, config, variablesOf(source, identity));
      planned.push(...jobs.flatMap(({ steps }) => steps));
      return jobs;
    },
    audit.done(),
  );
  const ignored = planned.flatMap((step) =>
    deps.executor.unsupported(step).map((what) => `step ${step.name}: ${what}`),
  );
  const leftOut =
    source.submodules && !config.submodules
      ? ["submodules are not fetched (submodules: true in the file asks for them)"]
      : [];
  if (pointers > 0 && config.lfs !== true)
    leftOut.push(
      `${pointers === 1 ? "1 file is a pointer" : `${pointers} files are pointers`} of Git LFS, whose content is not fetched (lfs: true in the file asks for it)`,
    );
  const all = [...source.notes, ...leftOut, ...notes, ...ignored];
  return { runId: run.id, notes: all, unresolved: null };
}

async function newRun(
  deps: ServiceDeps,
  { id, only, cause }: Pick<TriggerRequest, "id" | "only"> & Pick<Asking, "cause">,
  pipelineId: PipelineId,
): Promise<Omit<SubmittedRun, "gitRef" | "gitSha"> & { readonly id: RunId }> {
  const { owner } = await deps.database();
  return {
    id: id === undefined ? newId<RunId>() : checkId<RunId>(id),
    pipelineId,
    executorType: deps.executor.type,
    trigger: cause,
    requestedStages: only,
    retriedFrom: null,
    owner,
    cause: `trigger by ${cause.actor}`,
  };
}

/** Creates the project, repository and pipeline of a directory or an address at its first use. */
async function ensurePipeline(deps: ServiceDeps, source: ResolvedSource): Promise<PipelineId> {
  const { store } = await deps.database();
  const project = await store.projects.ensure(source.project);
  const repository = await store.repositories.ensure({
    projectId: project.id,
    vcsProvider: "git",
    cloneUrl: source.cloneUrl,
    defaultBranch: source.defaultBranch,
  });
  const pipeline = await store.pipelines.ensure({
    repositoryId: repository.id,
    name: source.pipeline,
    triggerType: "manual",
  });
  return pipeline.id;
}
