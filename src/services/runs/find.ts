/** Pipelines, runs, artifacts and deployments as people name them, among what the caller sees. */
import { brandId, isId, type PipelineId, Problem } from "../../kernel/index.ts";
import {
  type ArtifactRow,
  type DeploymentRow,
  type PipelineSummaryRow,
  type RunRow,
  removedPipeline,
  type Store,
} from "../../store/index.ts";
import { type Caller, sees } from "../auth/caller.ts";
import { parseNumberedRun, pipelineGrammar, pipelineReadings, runGrammar, runName } from "./references.ts";

type Pipelines = Pick<Store, "pipelines">;

/**
 * A pipeline by its id, or by a name that is unique among what the caller sees.
 * @throws Problem not_found, usage, gone: it was removed
 */
export async function findPipeline(
  store: Pipelines,
  caller: Caller,
  reference: string,
): Promise<PipelineSummaryRow> {
  const found = await findAnyPipeline(store, caller, reference);
  if (found.archived_at === null) return found;
  throw removedPipeline(`${found.project}/${found.name}`);
}

/** Also one that was removed, by its id or by the name that it has since. @throws Problem not_found, usage, gone */
export async function findAnyPipeline(
  store: Pipelines,
  caller: Caller,
  reference: string,
): Promise<PipelineSummaryRow> {
  const byId = isId(reference) ? await store.pipelines.summary(brandId<PipelineId>(reference)) : null;
  if (byId !== null && sees(caller, byId.project_id)) return byId;
  const readings = pipelineReadings(reference);
  const project = caller.project ?? undefined;
  const found = await store.pipelines.named(readings, project);
  const [first, second] = found;
  if (first === undefined) {
    const removed = await store.pipelines.removed(readings, project);
    if (removed !== null) throw removedPipeline(`${removed.project}/${removed.name}`);
    throw new Problem("not_found", `There is no pipeline ${JSON.stringify(reference)}.`, {
      remedy: `${pipelineGrammar} See which there are: shipinator pipeline list`,
    });
  }
  if (second !== undefined)
    throw ambiguous(
      reference,
      "pipeline",
      found.map(({ id, name, project }) => `${project}/${name} (${id})`),
    );
  return first;
}

const maxCandidates = 10;

function ambiguous(reference: string, noun: string, candidates: readonly string[]): Problem {
  const more = candidates.length > maxCandidates ? ", and more" : "";
  return new Problem("usage", `${JSON.stringify(reference)} names more than one ${noun}.`, {
    remedy: `Say which, if need be by its id: ${candidates.slice(0, maxCandidates).join(", ")}${more}`,
  });
}

/** @throws Problem not_found, usage (more than one) */
export async function findRun(store: Store, caller: Caller, reference: string): Promise<RunRow> {
  const found = await candidates(store, caller, reference);
  if (found.length === 1 && found[0] !== undefined) return found[0];
  if (found.length > 1)
    throw ambiguous(
      reference,
      "run",
      found.map((run) => `${runName(run)} (${run.id})`),
    );
  throw noRun(reference);
}

export function noRun(reference: string): Problem {
  return new Problem("not_found", `There is no run ${JSON.stringify(reference)}.`, {
    remedy: `${runGrammar} See which there are: shipinator list`,
  });
}

async function candidates(store: Store, { project }: Caller, reference: string): Promise<readonly RunRow[]> {
  if (reference === "latest") {
    const latest = await store.runs.latest(project);
    return latest === null ? [] : [latest];
  }
  const asked = parseNumberedRun(reference);
  const numbered = asked === null ? [] : await store.runs.findByNumber(asked.number, project, asked.pipeline);
  // Digits alone may also begin an id; a number is what people mean.
  return numbered.length > 0 ? numbered : store.runs.findByPrefix(reference, project);
}

export interface FoundArtifact {
  readonly artifact: ArtifactRow;
  readonly run: RunRow;
}

/** By id, a unique prefix of one, or RUN/NAME. @throws Problem not_found, usage */
export async function findArtifact(store: Store, caller: Caller, reference: string): Promise<FoundArtifact> {
  const slash = reference.lastIndexOf("/");
  if (slash > 0) return namedArtifact(store, caller, [reference.slice(0, slash), reference.slice(slash + 1)]);
  const found: FoundArtifact[] = [];
  for (const artifact of await store.artifacts.findByPrefix(reference)) {
    const run = await runOfArtifact(store, artifact);
    if (run !== null && sees(caller, run.project_id)) found.push({ artifact, run });
  }
  if (found.length === 1 && found[0] !== undefined) return found[0];
  if (found.length > 1)
    throw ambiguous(
      reference,
      "artifact",
      found.map(({ artifact, run }) => `${runName(run)}/${artifact.name} (${artifact.id})`),
    );
  throw new Problem("not_found", `There is no artifact ${JSON.stringify(reference)}.`, {
    remedy: "Name it by its id or as RUN/NAME. See which there are: shipinator artifacts RUN",
  });
}

async function runOfArtifact(store: Store, { job_id }: ArtifactRow): Promise<RunRow | null> {
  const job = await store.jobs.get(job_id);
  return job === null ? null : await store.runs.get(job.pipeline_run_id);
}

async function namedArtifact(
  store: Store,
  caller: Caller,
  [reference, name]: readonly [string, string],
): Promise<FoundArtifact> {
  const run = await findRun(store, caller, reference);
  const artifact = await store.artifacts.named(run.id, name);
  if (artifact !== null) return { artifact, run };
  const names = (await store.artifacts.ofRun(run.id)).map((one) => one.name);
  throw new Problem("not_found", `Run ${runName(run)} has no artifact ${JSON.stringify(name)}.`, {
    remedy: names.length === 0 ? "It has none." : `It has: ${names.join(", ")}.`,
  });
}

/** @throws Problem not_found, usage */
export async function findDeployment(
  store: Pick<Store, "deployments" | "runs">,
  caller: Caller,
  reference: string,
): Promise<DeploymentRow> {
  const found: DeploymentRow[] = [];
  for (const row of await store.deployments.findByPrefix(reference)) {
    const run = await store.runs.get(row.pipeline_run_id);
    if (run !== null && sees(caller, run.project_id)) found.push(row);
  }
  if (found.length === 1 && found[0] !== undefined) return found[0];
  if (found.length > 1)
    throw new Problem("usage", `${JSON.stringify(reference)} names more than one deployment.`, {
      remedy: "Give more of its id.",
    });
  throw new Problem("not_found", `There is no deployment ${JSON.stringify(reference)}.`, {
    remedy: "See which there are: shipinator deployments list",
  });
}
