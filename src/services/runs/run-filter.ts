/** Which lists of runs are served: those that an index gives in order, however many runs there are. */

import type { RunFilter } from "../../contract/index.ts";
import { brandId, isId, type PipelineId, Problem } from "../../kernel/index.ts";
import type { RunListFilter, Store } from "../../store/index.ts";
import type { Caller } from "../auth/caller.ts";
import { notThere } from "../catalog/catalog.ts";
import { findAnyPipeline } from "./find.ts";

const served =
  "pipeline or project, each also with status or cause; pipeline with ref; status; sha; and since with any";

/** @throws Problem usage: a combination without an index, a time that is none; not_found: project or pipeline */
export async function runListFilter(store: Store, caller: Caller, filter: RunFilter): Promise<RunListFilter> {
  const { status, ref, sha, since, cause } = filter;
  const scope = await scopeOf(store, caller, filter);
  const bySha = sha !== undefined;
  if (!bySha && ref !== undefined && (scope.pipelineId === undefined || status !== undefined))
    throw new Problem(
      "usage",
      "Runs are listed by ref (a branch) for one pipeline only, and not together with a status.",
      {
        place: "ref",
        remedy: `What is served: ${served}.`,
      },
    );
  const scoped = scope.pipelineId !== undefined || scope.projectId !== undefined;
  if (cause !== undefined && (!scoped || status !== undefined || ref !== undefined || bySha))
    throw new Problem(
      "usage",
      "Runs are listed by cause for one pipeline or project only, and not together with a status, ref or sha.",
      { place: "cause", remedy: `What is served: ${served}.` },
    );
  return {
    ...scope,
    ...(cause === undefined ? {} : { cause }),
    ...(status === undefined ? {} : { status }),
    ...(ref === undefined ? {} : { ref: fullRef(ref) }),
    ...(sha === undefined ? {} : { sha }),
    ...(since === undefined ? {} : { since: timeOf(since) }),
  };
}

async function scopeOf(
  store: Store,
  caller: Caller,
  { project, pipeline, pipeline_id }: RunFilter,
): Promise<Pick<RunListFilter, "projectId" | "pipelineId">> {
  const named = project === undefined ? null : await store.projects.named(project);
  if (project !== undefined && (named === null || (caller.project !== null && caller.project !== named.id)))
    throw notThere("project", project);
  const projectId = named?.id ?? caller.project;
  if (pipeline_id !== undefined) {
    const found = isId(pipeline_id) ? await store.pipelines.summary(brandId<PipelineId>(pipeline_id)) : null;
    if (found === null || (projectId !== null && found.project_id !== projectId))
      throw notThere("pipeline", pipeline_id);
    return { pipelineId: found.id };
  }
  if (pipeline !== undefined) {
    const narrowed = projectId === null ? caller : { ...caller, project: projectId };
    return { pipelineId: (await findAnyPipeline(store, narrowed, pipeline)).id };
  }
  return projectId === null ? {} : { projectId };
}

const fullRef = (ref: string) => (ref.startsWith("refs/") ? ref : `refs/heads/${ref}`);

function timeOf(text: string): Date {
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new Problem("usage", `since is no time: ${JSON.stringify(text)}`, {
    place: "since",
    remedy: 'Give it as RFC 3339, such as "2026-01-31T12:00:00Z".',
  });
}
