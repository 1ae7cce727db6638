/** Reads a registered repository as a run would, so that a mistake shows before the first run. */

import type { RepositoryCheck } from "../../contract/index.ts";
import { Problem, wakeReason } from "../../kernel/index.ts";
import type { RepositoryRow } from "../../store/index.ts";
import type { ServiceDeps } from "../deps.ts";
import { readPipelineFile } from "../runs/plan-run.ts";
import { pipelineSourceOf, type ResolvedSource, resolvePipelineSource } from "../runs/resolve-source.ts";

type Deps = Pick<ServiceDeps, "source" | "urlPolicy" | "clock">;

/** Time limit of a check. Somebody waits for it. */
const limitMs = 60_000;

/** @throws Problem source_refused, source_unavailable, ref_not_found */
export async function checkRepository(
  deps: Deps,
  repository: RepositoryRow,
  signal: AbortSignal,
): Promise<RepositoryCheck> {
  const late = new AbortController();
  const over = new AbortController();
  const limit = deps.clock.sleep(limitMs, over.signal).then(() => {
    if (!over.signal.aborted) late.abort(tooSlow());
  });
  try {
    return await read(deps, repository, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    signal.throwIfAborted();
    late.signal.throwIfAborted();
    throw error;
  } finally {
    over.abort(wakeReason);
    await limit;
  }
}

function tooSlow(): Problem {
  return new Problem(
    "source_unavailable",
    `The repository could not be read within ${limitMs / 1_000} seconds.`,
    { remedy: "Check that its host answers." },
  );
}

async function read(
  deps: Deps,
  { id, ...row }: RepositoryRow,
  signal: AbortSignal,
): Promise<RepositoryCheck> {
  const named = pipelineSourceOf("", { ...row, repository_id: id, project: "" });
  const source = await resolvePipelineSource(deps, named, { ref: null, sha: null }, signal);
  return {
    commit: source.commit,
    ref: source.ref,
    pipeline_file_problem: await pipelineFileProblem(deps, source),
  };
}

async function pipelineFileProblem(deps: Deps, source: ResolvedSource): Promise<string | null> {
  try {
    await readPipelineFile(deps, source);
    return null;
  } catch (error) {
    if (error instanceof Problem && error.code === "config_invalid") return error.message;
    throw error;
  }
}
