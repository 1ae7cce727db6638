/**
 * Repositories and pipelines, for one caller: what they do not see is not there. Created twice with one id and
 * the same data, a thing is made once.
 */

import type { Page } from "../../contract/index.ts";
import {
  brandId,
  isId,
  newId,
  type PipelineId,
  Problem,
  type ProjectId,
  type RepositoryId,
} from "../../kernel/index.ts";
import { checkRef } from "../../source/index.ts";
import type { Page as Rows, Store } from "../../store/index.ts";
import type { Guard } from "../auth/authorize.ts";
import { type Caller, sees } from "../auth/caller.ts";
import type { PipelineClient, RepositoryClient } from "../client.ts";
import type { OperationsDeps } from "../deps.ts";
import { findPipeline } from "../runs/find.ts";
import { givenAddress } from "./address.ts";
import { checkRepository } from "./check-repository.ts";
import { changedCredential, givenCredential } from "./clone-credential.ts";
import { checkName, givenId } from "./names.ts";
import { presentPipeline, presentRepository } from "./present.ts";

export interface CallerContext {
  readonly deps: OperationsDeps;
  readonly caller: Caller;
  readonly guard: Guard;
}

export function present<Row, Detail>(rows: Rows<Row>, one: (row: Row) => Detail): Page<Detail> {
  return { items: rows.items.map(one), next_cursor: rows.nextCursor };
}

export function notThere(what: string, id: string): Problem {
  return new Problem("not_found", `there is no ${what} ${JSON.stringify(id)}`);
}

/** The filter that keeps a caller's lists to what they see. */
export const ownProject = ({ project }: Caller) => (project === null ? {} : { projectId: project });

export async function visibleProject(store: Store, caller: Caller, id: string) {
  const row = isId(id) ? await store.projects.get(brandId<ProjectId>(id)) : null;
  if (row === null || !sees(caller, row.id)) throw notThere("project", id);
  return row;
}

async function visibleRepository(store: Store, caller: Caller, id: string) {
  const row = isId(id) ? await store.repositories.get(brandId<RepositoryId>(id)) : null;
  if (row === null || !sees(caller, row.project_id)) throw notThere("repository", id);
  return row;
}

/** What the server's account can read is for those who may have all projects read it. */
const accountOf = ({ project }: Caller): "offered" | "withheld" =>
  project === null ? "offered" : "withheld";

export function repositoryOperations({ deps, caller, guard }: CallerContext): RepositoryClient {
  const checkAddress = (url: string) => givenAddress(url, deps, caller);
  const checkBranch = (branch: string | null) => (branch === null ? null : checkRef(branch));
  return {
    create: ({
      id = newId<RepositoryId>(),
      project_id,
      clone_url,
      vcs_provider = "git",
      default_branch = null,
      ...credential
    }) =>
      guard("repositories.create", async (tell) => {
        const { store } = await deps.database();
        const { id: projectId } = await visibleProject(store, caller, project_id);
        tell({ project: projectId, entity: id });
        const cloneUrl = checkAddress(clone_url);
        const repository = {
          id: givenId<RepositoryId>(id),
          projectId,
          vcsProvider: vcs_provider,
          cloneUrl,
          credential: givenCredential(cloneUrl, credential),
          defaultBranch: checkBranch(default_branch),
          account: accountOf(caller),
        };
        const row = await store.repositories.create(repository, tell.done());
        return presentRepository(row);
      }),
    get: (id) =>
      guard("repositories.get", async () =>
        presentRepository(await visibleRepository((await deps.database()).store, caller, id)),
      ),
    list: ({ project_id, ...page }) =>
      guard("repositories.list", async () => {
        const { store } = await deps.database();
        const filter =
          project_id === undefined
            ? ownProject(caller)
            : { projectId: (await visibleProject(store, caller, project_id)).id };
        return present(await store.repositories.list(filter, page), presentRepository);
      }),
    update: (id, { clone_url, vcs_provider, default_branch, ...asked }) =>
      guard("repositories.update", async (tell) => {
        const { store } = await deps.database();
        const found = await visibleRepository(store, caller, id);
        tell({ project: found.project_id, entity: id });
        const cloneUrl = clone_url === undefined ? found.clone_url : checkAddress(clone_url);
        const credential = changedCredential(found, cloneUrl, asked);
        const change = {
          ...(clone_url === undefined ? {} : { cloneUrl, account: accountOf(caller) }),
          ...(credential === undefined ? {} : { credential }),
          ...(vcs_provider === undefined ? {} : { vcsProvider: vcs_provider }),
          ...(default_branch === undefined ? {} : { defaultBranch: checkBranch(default_branch) }),
        };
        const row = await store.repositories.update(found.id, change, tell.done());
        if (row === null) throw notThere("repository", id);
        return presentRepository(row);
      }),
    remove: (id) =>
      guard("repositories.remove", async (tell) => {
        const { store } = await deps.database();
        const found = await visibleRepository(store, caller, id);
        tell({ project: found.project_id, entity: id });
        await store.repositories.remove(found.id, tell.done());
      }),
    check: (id, signal) =>
      guard("repositories.check", async (tell) => {
        const found = await visibleRepository((await deps.database()).store, caller, id);
        tell({ project: found.project_id, entity: id });
        return await checkRepository(deps, found, signal);
      }),
  };
}

export function pipelineOperations({ deps, caller, guard }: CallerContext): PipelineClient {
  const visible = async (reference: string) =>
    await findPipeline((await deps.database()).store, caller, reference);
  async function again(id: PipelineId) {
    const { store } = await deps.database();
    const row = await store.pipelines.summary(id);
    if (row === null) throw notThere("pipeline", id);
    return presentPipeline(row);
  }
  return {
    create: ({ id = newId<PipelineId>(), repository_id, name, trigger_type = "manual" }) =>
      guard("pipelines.create", async (tell) => {
        const { store } = await deps.database();
        const repository = await visibleRepository(store, caller, repository_id);
        tell({ project: repository.project_id, entity: id });
        const pipeline = {
          id: givenId<PipelineId>(id),
          repositoryId: repository.id,
          name: checkName(name, "name"),
          triggerType: trigger_type,
        };
        await store.pipelines.create(pipeline, tell.done());
        return await again(pipeline.id);
      }),
    get: (reference) => guard("pipelines.get", async () => presentPipeline(await visible(reference))),
    list: ({ project_id, repository_id, ...page }) =>
      guard("pipelines.list", async () => {
        const { store } = await deps.database();
        const project =
          project_id === undefined
            ? ownProject(caller)
            : { projectId: (await visibleProject(store, caller, project_id)).id };
        const repository =
          repository_id === undefined
            ? {}
            : { repositoryId: (await visibleRepository(store, caller, repository_id)).id };
        return present(await store.pipelines.list({ ...project, ...repository }, page), presentPipeline);
      }),
    update: (id, { name, trigger_type }) =>
      guard("pipelines.update", async (tell) => {
        const { store } = await deps.database();
        const found = await visible(id);
        tell({ project: found.project_id, entity: found.id });
        const change = {
          ...(name === undefined ? {} : { name: checkName(name, "name") }),
          ...(trigger_type === undefined ? {} : { triggerType: trigger_type }),
        };
        await store.pipelines.update(found.id, change, tell.done());
        return await again(found.id);
      }),
    remove: (id) =>
      guard("pipelines.remove", async (tell) => {
        const { store } = await deps.database();
        const found = await visible(id);
        tell({ project: found.project_id, entity: found.id });
        await store.pipelines.remove(found.id, tell.done());
      }),
  };
}
