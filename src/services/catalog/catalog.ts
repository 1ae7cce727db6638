/**
 * Operations on repositories and pipelines for one caller. Resources that the caller cannot see do not exist for them.
 * Creating a resource twice with the same id and data creates it once.
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
import type { Authorize } from "../auth/authorize.ts";
import { type Caller, sees } from "../auth/caller.ts";
import type { PipelineClient, RepositoryClient } from "../client.ts";
import type { ServiceDeps } from "../deps.ts";
import { findPipeline } from "../runs/find.ts";
import { checkAddress } from "./address.ts";
import { checkRepository } from "./check-repository.ts";
import { changedCredential, checkCredential } from "./clone-credential.ts";
import { checkId, checkName } from "./names.ts";
import { presentPipeline, presentRepository } from "./present.ts";

export interface CallerContext {
  readonly deps: ServiceDeps;
  readonly caller: Caller;
  readonly authorize: Authorize;
}

export function present<Row, Detail>(rows: Rows<Row>, one: (row: Row) => Detail): Page<Detail> {
  return { items: rows.items.map(one), next_cursor: rows.nextCursor };
}

export function notThere(what: string, id: string): Problem {
  return new Problem("not_found", `There is no ${what} ${JSON.stringify(id)}.`);
}

/** Filter that limits lists to the caller's project. */
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

/** Only callers for all projects may use the Git access of the server's account. */
const accountOf = ({ project }: Caller): "offered" | "withheld" =>
  project === null ? "offered" : "withheld";

export function repositoryOperations({ deps, caller, authorize }: CallerContext): RepositoryClient {
  const addressOf = (url: string) => checkAddress(url, deps, caller);
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
      authorize("repositories.create", async (audit) => {
        const { store } = await deps.database();
        const { id: projectId } = await visibleProject(store, caller, project_id);
        audit({ project: projectId, entity: id });
        const cloneUrl = addressOf(clone_url);
        const repository = {
          id: checkId<RepositoryId>(id),
          projectId,
          vcsProvider: vcs_provider,
          cloneUrl,
          credential: checkCredential(cloneUrl, credential),
          defaultBranch: checkBranch(default_branch),
          account: accountOf(caller),
        };
        const row = await store.repositories.create(repository, audit.done());
        return presentRepository(row);
      }),
    get: (id) =>
      authorize("repositories.get", async () =>
        presentRepository(await visibleRepository((await deps.database()).store, caller, id)),
      ),
    list: ({ project_id, ...page }) =>
      authorize("repositories.list", async () => {
        const { store } = await deps.database();
        const filter =
          project_id === undefined
            ? ownProject(caller)
            : { projectId: (await visibleProject(store, caller, project_id)).id };
        return present(await store.repositories.list(filter, page), presentRepository);
      }),
    update: (id, { clone_url, vcs_provider, default_branch, ...asked }) =>
      authorize("repositories.update", async (audit) => {
        const { store } = await deps.database();
        const found = await visibleRepository(store, caller, id);
        audit({ project: found.project_id, entity: id });
        const cloneUrl = clone_url === undefined ? found.clone_url : addressOf(clone_url);
        const credential = changedCredential(found, cloneUrl, asked);
        const change = {
          ...(clone_url === undefined ? {} : { cloneUrl, account: accountOf(caller) }),
          ...(credential === undefined ? {} : { credential }),
          ...(vcs_provider === undefined ? {} : { vcsProvider: vcs_provider }),
          ...(default_branch === undefined ? {} : { defaultBranch: checkBranch(default_branch) }),
        };
        const row = await store.repositories.update(found.id, change, audit.done());
        if (row === null) throw notThere("repository", id);
        return presentRepository(row);
      }),
    remove: (id) =>
      authorize("repositories.remove", async (audit) => {
        const { store } = await deps.database();
        const found = await visibleRepository(store, caller, id);
        audit({ project: found.project_id, entity: id });
        await store.repositories.remove(found.id, audit.done());
      }),
    check: (id, signal) =>
      authorize("repositories.check", async (audit) => {
        const found = await visibleRepository((await deps.database()).store, caller, id);
        audit({ project: found.project_id, entity: id });
        return await checkRepository(deps, found, signal);
      }),
  };
}

export function pipelineOperations({ deps, caller, authorize }: CallerContext): PipelineClient {
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
      authorize("pipelines.create", async (audit) => {
        const { store } = await deps.database();
        const repository = await visibleRepository(store, caller, repository_id);
        audit({ project: repository.project_id, entity: id });
        const pipeline = {
          id: checkId<PipelineId>(id),
          repositoryId: repository.id,
          name: checkName(name, "name"),
          triggerType: trigger_type,
        };
        await store.pipelines.create(pipeline, audit.done());
        return await again(pipeline.id);
      }),
    get: (reference) => authorize("pipelines.get", async () => presentPipeline(await visible(reference))),
    list: ({ project_id, repository_id, ...page }) =>
      authorize("pipelines.list", async () => {
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
      authorize("pipelines.update", async (audit) => {
        const { store } = await deps.database();
        const found = await visible(id);
        audit({ project: found.project_id, entity: found.id });
        const change = {
          ...(name === undefined ? {} : { name: checkName(name, "name") }),
          ...(trigger_type === undefined ? {} : { triggerType: trigger_type }),
        };
        await store.pipelines.update(found.id, change, audit.done());
        return await again(found.id);
      }),
    remove: (id) =>
      authorize("pipelines.remove", async (audit) => {
        const { store } = await deps.database();
        const found = await visible(id);
        audit({ project: found.project_id, entity: found.id });
        await store.pipelines.remove(found.id, audit.done());
      }),
  };
}
