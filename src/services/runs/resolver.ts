/** The source resolution of runs that were accepted unresolved. */
import type { SourceResolver } from "../../orchestrator/index.ts";
import type { ServiceDeps } from "../deps.ts";
import { planStages, readPipelineFile, requestedStages, variablesOf } from "./plan-run.ts";
import { pipelineSourceOf, resolvePipelineSource } from "./resolve-source.ts";

export function createResolver(
  deps: Pick<ServiceDeps, "source" | "urlPolicy" | "inators" | "graceSeconds">,
): SourceResolver {
  return {
    async resolve(run, signal) {
      const pipeline = pipelineSourceOf(run.pipeline, run);
      const asked = { ref: run.git_ref, sha: run.git_sha };
      const source = await resolvePipelineSource(deps, pipeline, asked, signal);
      const { config } = await readPipelineFile(deps, source);
      const stages = requestedStages(config, run.requested_stages);
      return {
        gitRef: source.ref,
        gitSha: source.commit,
        tree: source.tree,
        branch: source.branch,
        tag: source.tag,
        config,
        jobs: planStages(deps, { stages, adopted: [] }, config, variablesOf(source, run)),
      };
    },
  };
}
