/** Deployments, and the word of a person about one whose outcome nobody knows. */
import { Problem } from "../kernel/index.ts";
import type { DeploymentRow, Store } from "../store/index.ts";
import type { Client } from "./client.ts";
import { presentDeployment } from "./present.ts";

interface DeploymentDeps {
  readonly database: () => Promise<{ readonly store: Pick<Store, "deployments"> }>;
}

export function deploymentOperations(
  deps: DeploymentDeps,
): Pick<Client, "deployments" | "resolveDeployment"> {
  return {
    async deployments(page) {
      const { store } = await deps.database();
      const { items, nextCursor } = await store.deployments.list({}, page);
      return { items: items.map(presentDeployment), next_cursor: nextCursor };
    },
    async resolveDeployment(reference, outcome, by) {
      const { store } = await deps.database();
      const found = await findDeployment(store, reference);
      const resolved = await store.deployments.resolve(found.id, outcome, by);
      if (resolved !== null) return presentDeployment(resolved);
      throw new Problem("conflict", `the outcome of deployment ${found.id} is not open: ${stateOf(found)}`, {
        remedy: "only one that is unknown is settled by hand; see: shipinator deployments list",
      });
    },
  };
}

function stateOf({ outcome, resolved_by: by }: DeploymentRow): string {
  if (outcome === "active") return "it is still under way";
  return by === null ? `it is ${outcome}` : `${by} has settled it as ${outcome}`;
}

async function findDeployment(store: Pick<Store, "deployments">, reference: string): Promise<DeploymentRow> {
  const found = await store.deployments.findByPrefix(reference);
  if (found.length === 1 && found[0] !== undefined) return found[0];
  if (found.length > 1)
    throw new Problem("usage", `${JSON.stringify(reference)} names more than one deployment`, {
      remedy: "give more of its id",
    });
  throw new Problem("not_found", `there is no deployment ${JSON.stringify(reference)}`, {
    remedy: "see which there are: shipinator deployments list",
  });
}
