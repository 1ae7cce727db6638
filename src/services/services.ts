/**
 * All operations with authorization: `as(caller)` returns the `Client` of a caller. REST, RPC and the embedded command line
 * are thin over it.
 */

import type { ChangeSet } from "../domain/index.ts";
import { brandId, Problem, type RunId } from "../kernel/index.ts";
import type { Statistics, Store } from "../store/index.ts";
import { createAuditWriter } from "./auth/audit-writer.ts";
import { type Authorize, createAuthorize, requireAudited } from "./auth/authorize.ts";
import type { Caller } from "./auth/caller.ts";
import { createIdempotencyStore, type IdempotencyStore } from "./auth/idempotency.ts";
import type { Operation } from "./auth/scopes.ts";
import { tokenOperations } from "./auth/tokens.ts";
import { callbackClient } from "./callbacks/callbacks.ts";
import type { CallbackClient } from "./callbacks/client.ts";
import { pipelineOperations, present, repositoryOperations } from "./catalog/catalog.ts";
import { presentAuditEntry } from "./catalog/present.ts";
import { projectOperations } from "./catalog/projects.ts";
import { registryOperations } from "./catalog/registries.ts";
import type { Client } from "./client.ts";
import type { ServiceDeps } from "./deps.ts";
import { abandonedRuns, takeOwnership } from "./maintenance/recovery.ts";
import { deploymentOperations } from "./runs/deployments.ts";
import { presentRun } from "./runs/present.ts";
import { runOperations } from "./runs/runs.ts";
import { createCompiledMasks } from "./secrets/compiled-masks.ts";
import { secretOperations } from "./secrets/secrets.ts";

/** For metrics: what there is to do, and what this process has recorded. */
export interface Watch {
  statistics(): Promise<Statistics>;
  connections(): Promise<ReturnType<Store["connections"]>>;
  onRecorded(listener: (changes: ChangeSet, runId: RunId) => void): Promise<void>;
}

export interface Services {
  as(caller: Caller): Client;
  /** Returns the holder of a token. @throws Problem unauthorized */
  authenticate(token: string, requestId: string | null): Promise<Caller>;
  /** Returns the callbacks of an execution's token. @throws Problem unauthorized, or forbidden for a person's token */
  executor(token: string, requestId: string | null): Promise<CallbackClient>;
  /** Checks that the caller may use the operation at all, before the rest of the request is read. @throws Problem forbidden */
  allow(caller: Caller, operation: Operation): Promise<void>;
  readonly idempotency: IdempotencyStore;
  /** Returns the reason for which the server is not ready, or null. */
  unreadyReason(): Promise<Problem | null>;
  readonly watch: Watch;
}

/** @param missing what of the server's start is not done, as a sentence, or null */
export function createServices(deps: ServiceDeps, missing: () => string | null = () => null): Services {
  const audit = createAuditWriter(
    async (entries) => (await deps.database()).store.audit.record(entries),
    deps.log,
  );
  const callbackDeps = { ...deps, masks: createCompiledMasks() };
  return {
    as: (caller) => clientOf(deps, caller, createAuthorize(caller, audit)),
    authenticate: (token, requestId) => deps.authenticator.authenticate(token, requestId),
    async executor(token, requestId) {
      const name = deps.executionTokens.read(token);
      if (name !== null) return callbackClient(callbackDeps, name);
      await deps.authenticator.authenticate(token, requestId);
      throw new Problem("forbidden", "A callback needs the token of its execution.");
    },
    allow: (caller, operation) => requireAudited(caller, operation, audit),
    idempotency: createIdempotencyStore(deps),
    watch: {
      statistics: async () => (await deps.database()).store.statistics(),
      connections: async () => (await deps.database()).store.connections(),
      onRecorded: async (listener) => void (await deps.database()).orchestrator.onRecorded(listener),
    },
    async unreadyReason() {
      try {
        const { store } = await deps.database();
        await store.instances.present();
      } catch {
        return new Problem("database_unavailable", "The database does not answer.");
      }
      const why = missing();
      return why === null
        ? null
        : new Problem("unavailable", why, { remedy: "Wait until the start is done." });
    },
  };
}

function clientOf(deps: ServiceDeps, caller: Caller, authorize: Authorize): Client {
  const context = { deps, caller, authorize };
  return {
    projects: projectOperations(context),
    repositories: repositoryOperations(context),
    pipelines: pipelineOperations(context),
    tokens: tokenOperations(context),
    secrets: secretOperations(context),
    registries: registryOperations(context),
    ...runOperations(context),
    ...deploymentOperations(context),
    audit: (page) =>
      authorize("audit.list", async () => {
        const { store } = await deps.database();
        const filter = caller.project === null ? {} : { projectId: caller.project };
        return present(await store.audit.list(filter, page), presentAuditEntry);
      }),
    whoami: () =>
      authorize("caller.get", async () => {
        const { store } = await deps.database();
        const { name, scope, project: project_id, tokenId: token_id } = caller;
        const project = project_id === null ? null : await store.projects.get(project_id);
        const token = token_id === null ? null : await store.tokens.get(token_id);
        const expires_at = token?.expires_at?.toISOString() ?? null;
        return { name, scope, project_id, project: project?.name ?? null, token_id, expires_at };
      }),
    abandoned: () => authorize("local.run", async () => (await abandonedRuns(deps)).map(presentRun)),
    resume: (runId) =>
      authorize("local.run", async () => {
        const id = brandId<RunId>(runId);
        await takeOwnership(deps, id);
        const { orchestrator } = await deps.database();
        orchestrator.own([{ id }]);
        await orchestrator.enqueue(id);
      }),
  };
}
