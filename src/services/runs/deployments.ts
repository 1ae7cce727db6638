/** Deployments, and the word of a person about one whose outcome nobody knows. */
import { Problem } from "../../kernel/index.ts";
import type { DeploymentRow, Store } from "../../store/index.ts";
import type { Authorize } from "../auth/authorize.ts";
import type { Caller } from "../auth/caller.ts";
import { ownProject, present } from "../catalog/catalog.ts";
import type { Client } from "../client.ts";
import { findDeployment } from "./find.ts";
import { presentDeployment } from "./present.ts";

interface DeploymentContext {
  readonly deps: { database(): Promise<{ readonly store: Pick<Store, "deployments" | "runs"> }> };
  readonly caller: Caller;
  readonly authorize: Authorize;
}

export function deploymentOperations({
  deps,
  caller,
  authorize,
}: DeploymentContext): Pick<Client, "deployments" | "resolveDeployment"> {
  return {
    deployments: (page) =>
      authorize("deployments.list", async () => {
        const { store } = await deps.database();
        return present(await store.deployments.list(ownProject(caller), page), presentDeployment);
      }),
    resolveDeployment: (reference, outcome, by) =>
      authorize("deployments.resolve", async (audit) => {
        const { store } = await deps.database();
        const found = await findDeployment(store, caller, reference);
        const run = await store.runs.get(found.pipeline_run_id);
        audit({ project: run?.project_id ?? null, entity: found.id });
        const who = caller.tokenId === null ? by : caller.name;
        const resolved = await store.deployments.resolve(found.id, outcome, who, audit.done());
        if (resolved !== null) return presentDeployment(resolved);
        throw new Problem(
          "conflict",
          `the outcome of deployment ${found.id} is not open: ${stateOf(found)}`,
          {
            remedy: "only one that is unknown is settled by hand; see: shipinator deployments list",
          },
        );
      }),
  };
}

function stateOf({ outcome, resolved_by: by }: DeploymentRow): string {
  if (outcome === "active") return "it is still under way";
  return by === null ? `it is ${outcome}` : `${by} has settled it as ${outcome}`;
}
