/**
 * Accepts a run: source → tree → file → plans, then one transaction. What is found wrong before that is a Problem and
 * makes no run. The tree is in the mirror before the run is accepted, so every job sees one tree.
 */
import { createHash } from "node:crypto";
import { basename, resolve as resolvePath } from "node:path";
import { parsePipelineFile, renderPipelineProblems } from "../config/index.ts";
import type { Inator, JobType, PipelineConfig, SourceSpec, StepPlan, TemplateVariables } from "../domain/index.ts";
import { newId, Problem, type RunId } from "../kernel/index.ts";
import type { TriggerRequest } from "./client.ts";
import type { OperationsDeps } from "./deps.ts";

export const pipelineFileName = ".shipinator.yaml";
const maxFileBytes = 256 * 1024;

/** Where a run's tree came from. `mirror` names the bare repository that holds it. */
interface ResolvedSource {
  readonly mirror: string;
  readonly cloneUrl: string;
  readonly commit: string | null;
  readonly tree: string;
  readonly ref: string | null;
  readonly branch: string | null;
  readonly tag: string | null;
  readonly dirty: boolean;
  readonly subpath: string | null;
  readonly project: string;
  readonly pipeline: string;
  readonly defaultBranch: string | null;
  /** Where the file would be looked for, for messages. */
  readonly place: string;
  readonly notes: readonly string[];
}

export async function accept(
  deps: OperationsDeps,
  request: TriggerRequest,
  signal: AbortSignal,
): Promise<{ runId: RunId; notes: readonly string[] }> {
  const source = await resolveSource(deps, request, signal);
  const { config, digest, notes } = await readPipelineFile(deps, source);
  const stages = requestedStages(config, request.only);
  const runId = newId<RunId>();
  const { store } = await deps.database();
  const pipeline = await store.pipelines.ensure({
    project: source.project,
    cloneUrl: source.cloneUrl,
    defaultBranch: source.defaultBranch,
    pipeline: source.pipeline,
  });
  const spec: SourceSpec = {
    repositoryId: source.mirror,
    cloneUrl: source.cloneUrl,
    commit: source.commit,
    tree: source.tree,
    submodules: config.submodules,
  };
  const plans = new Map<JobType, readonly StepPlan[]>();
  await store.runs.accept({
    id: runId,
    pipelineId: pipeline.id,
    gitRef: source.ref,
    gitSha: source.commit,
    branch: source.branch,
    tag: source.tag,
    dirty: source.dirty,
    subpath: source.subpath,
    trigger: "manual",
    requestedBy: request.by,
    requestedStages: request.only,
    executorType: deps.executor.type,
    configDigest: digest,
    config,
    source: spec,
    owner: deps.owner,
    plan(number) {
      const variables = variablesOf(source, runId, number);
      for (const stage of stages) {
        const steps = inatorOf(deps.inators, stage).plan(config, { variables });
        if (steps !== null) plans.set(stage, steps);
      }
      return [...plans].map(([jobType, steps]) => ({ jobType, steps }));
    },
  });
  const ignored = [...plans.values()].flat().flatMap((step) => {
    return deps.executor.ignores(step).map((what) => `step ${step.name}: ${what}`);
  });
  return { runId, notes: [...source.notes, ...notes, ...ignored] };
}

async function resolveSource(
  deps: OperationsDeps,
  { source: asked }: TriggerRequest,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  if (asked.kind === "directory" && asked.ref === null) {
    const directory = resolvePath(asked.path);
    const mirror = mirrorName(directory);
    const found = await deps.source.snapshotWorkingTree({ repositoryId: mirror, directory }, signal);
    const name = basename(directory) || "root";
    return {
      ...found,
      mirror,
      cloneUrl: directory,
      project: name,
      pipeline: name,
      defaultBranch: null,
      place: directory,
      notes: workingTreeNotes(found),
    };
  }
  const url = asked.kind === "directory" ? resolvePath(asked.path) : deps.source.checkUrl(asked.url);
  const ref = asked.ref === null ? null : deps.source.checkRef(asked.ref);
  const mirror = mirrorName(url);
  const allowLocal = asked.kind === "directory";
  const found = await deps.source.resolve({ repositoryId: mirror, cloneUrl: url, ref, allowLocal }, signal);
  const name = repositoryName(url);
  return {
    ...found,
    mirror,
    cloneUrl: url,
    dirty: false,
    project: name,
    pipeline: name,
    place: `${url} at ${found.commit.slice(0, 12)}`,
    notes: [],
  };
}

function workingTreeNotes(found: { dirty: boolean; commit: string | null; submodules: boolean }): string[] {
  const notes: string[] = [];
  if (found.commit === null) notes.push("there is no commit, so the files travel as they are and git_sha is null");
  else if (found.dirty)
    notes.push(
      `the working tree differs from ${found.commit.slice(0, 12)}: what runs is the files as they are (use --ref to run a commit)`,
    );
  if (found.submodules) notes.push("submodules are not fetched (submodules: true in the file asks for them)");
  return notes;
}

async function readPipelineFile(deps: OperationsDeps, source: ResolvedSource) {
  const bytes = await deps.source.readFile(
    { repositoryId: source.mirror, tree: source.tree },
    pipelineFileName,
    maxFileBytes + 1,
  );
  if (bytes === null)
    throw new Problem("config_invalid", `there is no ${pipelineFileName} in ${source.place}, so nothing says what to run`, {
      remedy: "write a first one with: shipinator init",
    });
  const parsed = parsePipelineFile(bytes, pipelineFileName);
  if (!parsed.ok) {
    const text = new TextDecoder().decode(bytes);
    throw new Problem("config_invalid", renderPipelineProblems(parsed.problems, text), { details: parsed.problems });
  }
  return { config: parsed.config, digest: parsed.digest, notes: parsed.notes };
}

function requestedStages(config: PipelineConfig, only: readonly JobType[] | null): readonly JobType[] {
  const configured = (["build", "test", "deploy"] as const).filter((stage) => config[stage] !== null);
  const absent = only?.find((stage) => !configured.includes(stage));
  if (absent !== undefined)
    throw new Problem("usage", `the pipeline has no ${absent} stage, so there is nothing to run of it`, {
      remedy: `it has: ${configured.join(", ")}`,
    });
  const stages = configured.filter((stage) => only === null || only.includes(stage));
  const artifact = config.deploy?.artifact ?? null;
  if (stages.includes("deploy") && !stages.includes("build") && artifact !== null)
    throw new Problem("usage", `the deploy needs the artifact ${artifact}, which the build stage makes`, {
      remedy: "ask for build as well: --only build,deploy",
    });
  return stages;
}

function inatorOf(inators: ReadonlyMap<JobType, Inator>, stage: JobType): Inator {
  const inator = inators.get(stage);
  if (inator === undefined) throw new Problem("internal", `no inator is registered for the ${stage} stage`);
  return inator;
}

function variablesOf(source: ResolvedSource, runId: RunId, number: number): TemplateVariables {
  const commit = source.commit ?? "";
  return {
    commit,
    short_commit: commit.slice(0, 12),
    ref: source.ref ?? "",
    branch: source.branch ?? "",
    tag: source.tag ?? "",
    run_id: runId,
    run_number: String(number),
    pipeline: source.pipeline,
  };
}

/** The mirror's directory name: of one address, whatever project it is in. */
function mirrorName(url: string): string {
  return createHash("sha256").update(url).digest("hex").slice(0, 32);
}

function repositoryName(url: string): string {
  const last = url.replace(/[/\\]+$/, "").split(/[/:\\]/).at(-1) ?? "";
  return last.replace(/\.git$/, "") || "repository";
}
