/** From a tree to the jobs and steps of a run: its pipeline file, the stages that were asked for, their plans. */
import { misspelledFileName, parsePipeline, renderPipelineProblems } from "../../config/index.ts";
import type { Inator, JobType, PipelineConfig, TemplateVariables } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { NewJob, RunIdentity } from "../../store/index.ts";
import type { ServiceDeps } from "../deps.ts";
import type { ResolvedSource } from "./resolve-source.ts";

export const pipelineFileName = ".shipinator.yaml";
const maxFileBytes = 256 * 1024;

/** @throws Problem config_invalid with every problem's line and column; source_refused */
export async function readPipelineFile(deps: Pick<ServiceDeps, "source">, source: ResolvedSource) {
  const at = { repositoryId: source.mirror, tree: source.tree };
  const bytes = await deps.source.readFile(at, pipelineFileName, maxFileBytes + 1);
  if (bytes === null) throw await noPipelineFile(deps, source);
  const parsed = await parsePipeline(bytes, pipelineFileName);
  if (!parsed.ok) {
    const text = new TextDecoder().decode(bytes);
    throw new Problem(
      "config_invalid",
      renderPipelineProblems(parsed.problems, text, { more: parsed.more }),
      {
        details: parsed.problems,
      },
    );
  }
  return parsed;
}

async function noPipelineFile(deps: Pick<ServiceDeps, "source">, source: ResolvedSource) {
  const at = { repositoryId: source.mirror, tree: source.tree };
  if ((await deps.source.readFile(at, misspelledFileName, maxFileBytes + 1)) !== null)
    return new Problem(
      "config_invalid",
      `${source.place} has ${misspelledFileName}, and the pipeline file is called ${pipelineFileName}`,
      { remedy: `rename it: git mv ${misspelledFileName} ${pipelineFileName}` },
    );
  return new Problem(
    "config_invalid",
    `there is no ${pipelineFileName} in ${source.place}, so nothing says what to run`,
    { remedy: "write a first one in that directory with: shipinator init" },
  );
}

/**
 * @param adopted stages whose outputs are taken over of another run
 * @throws Problem usage when what is asked for is not in the file
 */
export function requestedStages(
  config: PipelineConfig,
  only: readonly JobType[] | null,
  adopted: readonly JobType[] = [],
): readonly JobType[] {
  const configured = (["build", "test", "deploy"] as const).filter((stage) => config[stage] !== null);
  const absent = only?.find((stage) => !configured.includes(stage));
  if (absent !== undefined)
    throw new Problem("usage", `the pipeline has no ${absent} stage, so there is nothing to run of it`, {
      remedy: `it has: ${configured.join(", ")}`,
    });
  const stages = configured.filter((stage) => only === null || only.includes(stage));
  const artifact = config.deploy?.artifact ?? null;
  if (stages.includes("deploy") && ![...stages, ...adopted].includes("build") && artifact !== null)
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

export interface PlannedStages {
  readonly stages: readonly JobType[];
  /** The stages whose outputs are reused from another run. */
  readonly adopted: readonly JobType[];
}

/** The jobs of the stages, in order. What is neither built in this run nor taken over is not there to be deployed. */
export function planStages(
  deps: Pick<ServiceDeps, "inators" | "graceSeconds">,
  { stages, adopted }: PlannedStages,
  config: PipelineConfig,
  variables: TemplateVariables,
): readonly NewJob[] {
  const asked = [...stages, ...adopted].includes("build") ? config : { ...config, build: null };
  const context = { variables, graceSeconds: deps.graceSeconds };
  return stages.map((type) => ({
    type,
    steps: inatorOf(deps.inators, type).plan(asked, context) ?? [],
  }));
}

export function variablesOf(
  source: Pick<ResolvedSource, "commit" | "ref" | "branch" | "tag" | "pipeline">,
  { id: runId, number }: RunIdentity,
): TemplateVariables {
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
