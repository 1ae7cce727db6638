/**
 * Accepts a run: source → tree → file → plans, then one transaction. What is found wrong before that is a Problem and
 * makes no run. The tree is in the mirror before the run is accepted, so every job sees one tree.
 */
import { basename, resolve as resolvePath } from "node:path";
import { parsePipelineFile, renderPipelineProblems } from "../config/index.ts";
import {
  type Inator,
  type JobType,
  mirrorName,
  type PipelineConfig,
  type StepPlan,
  type TemplateVariables,
} from "../domain/index.ts";
import { Problem, type RunId } from "../kernel/index.ts";
import { checkRef, checkUrl } from "../source/index.ts";
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
  const { config, notes } = await readPipelineFile(deps, source);
  const stages = requestedStages(config, request.only);
  const { store, owner } = await deps.database();
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
  const planned: StepPlan[] = [];
  const accepted = await store.runs.accept(
    {
      pipelineId: pipeline.id,
      executorType: deps.executor.type,
      trigger: "manual",
      gitRef: source.ref,
      gitSha: source.commit,
      tree: source.tree,
      subpath: source.subpath,
      worktree: source.dirty ? "dirty" : "clean",
      branch: source.branch,
      tag: source.tag,
      requestedStages: request.only,
      config,
      retriedFrom: null,
      owner,
      cause: `trigger by ${request.by}`,
    },
    ({ id, number }) => {
      const variables = variablesOf(source, id, number);
      // What is not built in this run is not there to be tested or deployed.
      const asked = stages.includes("build") ? config : { ...config, build: null };
      return stages.map((type) => {
        const steps =
          inatorOf(deps.inators, type).plan(asked, { variables, graceSeconds: deps.graceSeconds }) ?? [];
        planned.push(...steps);
        return { type, steps };
      });
    },
  );
  const ignored = planned.flatMap((step) =>
    deps.executor.ignores(step).map((what) => `step ${step.name}: ${what}`),
  );
  return { runId: accepted.id, notes: [...source.notes, ...notes, ...ignored] };
}

async function resolveSource(
  deps: OperationsDeps,
  { source: asked }: TriggerRequest,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  return asked.kind === "directory"
    ? resolveDirectory(deps, asked, signal)
    : resolveRepository(deps, asked, signal);
}

async function resolveDirectory(
  deps: OperationsDeps,
  asked: Extract<TriggerRequest["source"], { kind: "directory" }>,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const directory = resolvePath(asked.path);
  const mirror = mirrorName(directory);
  const found =
    asked.ref === null
      ? await deps.source.snapshotWorkingTree(
          { repositoryId: mirror, directory, exclude: [deps.dataDirectory] },
          signal,
        )
      : await deps.source.snapshotCommit(
          { repositoryId: mirror, directory, ref: checkRef(asked.ref) },
          signal,
        );
  const name = basename(directory) || "root";
  return {
    ...found,
    mirror,
    cloneUrl: directory,
    project: name,
    pipeline: name,
    defaultBranch: null,
    place: asked.ref === null ? directory : `${directory} at ${asked.ref}`,
    notes: workingTreeNotes(found),
  };
}

async function resolveRepository(
  deps: OperationsDeps,
  asked: Extract<TriggerRequest["source"], { kind: "repository" }>,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const cloneUrl = checkUrl(asked.url, deps.urlPolicy);
  const ref = asked.ref === null ? null : checkRef(asked.ref);
  const mirror = mirrorName(cloneUrl);
  const found = await deps.source.resolve({ repositoryId: mirror, cloneUrl, ref }, signal);
  const name = repositoryName(cloneUrl);
  return {
    ...found,
    mirror,
    cloneUrl,
    dirty: false,
    subpath: null,
    project: name,
    pipeline: name,
    place: `${cloneUrl} at ${found.commit.slice(0, 12)}`,
    notes: [],
  };
}

function workingTreeNotes(found: { dirty: boolean; commit: string | null; submodules: boolean }): string[] {
  const notes: string[] = [];
  if (found.commit === null)
    notes.push("there is no commit, so the files travel as they are and git_sha is null");
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
    throw new Problem(
      "config_invalid",
      `there is no ${pipelineFileName} in ${source.place}, so nothing says what to run`,
      {
        remedy: "write a first one with: shipinator init",
      },
    );
  const parsed = parsePipelineFile(bytes, pipelineFileName);
  if (!parsed.ok) {
    const text = new TextDecoder().decode(bytes);
    throw new Problem("config_invalid", renderPipelineProblems(parsed.problems, text), {
      details: parsed.problems,
    });
  }
  return parsed;
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

function repositoryName(url: string): string {
  const last =
    url
      .replace(/[/\\]+$/, "")
      .split(/[/:\\]/)
      .at(-1) ?? "";
  return last.replace(/\.git$/, "") || "repository";
}
