/** `shipinator deployments list` and `shipinator deployments resolve`. */
import type { DeploymentDetail } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { formatAge } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { type Column, renderTable } from "../../terminal/table.ts";
import { pipelineTitle } from "../../watch/step-line.ts";

const PAGE = 100;

export async function listDeploymentsCommand(context: CommandContext, limit: number): Promise<number> {
  return await withClient(context, async ({ client }) => {
    const deployments: DeploymentDetail[] = [];
    let cursor: string | null = null;
    do {
      const page = await client.deployments({
        limit: Math.min(PAGE, limit - deployments.length),
        ...(cursor === null ? {} : { cursor }),
      });
      deployments.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null && deployments.length < limit);
    if (asData(context)) await writeData(context, deployments);
    else if (deployments.length === 0) note(context, "There are no deployments yet.");
    else context.out.write(render(context, deployments));
    return EXIT.done;
  });
}

export interface ResolveArguments {
  readonly deployment: string;
  readonly outcome: "succeeded" | "failed";
}

export async function resolveDeploymentCommand(
  context: CommandContext,
  { deployment, outcome }: ResolveArguments,
): Promise<number> {
  const { deps, out } = context;
  return await withClient(context, async ({ client }) => {
    const resolved = await client.resolveDeployment(deployment, outcome, deps.login());
    if (asData(context)) await writeData(context, resolved);
    else
      out.write(
        `Resolved deployment ${resolved.id} to ${placeOf(resolved)} as ${outcome}. The next deployment can start.\n`,
      );
    return EXIT.done;
  });
}

function placeOf({ target, namespace, release }: DeploymentDetail): string {
  return [target, namespace, release ?? "-"].map(sanitizeName).join("/");
}

function render({ deps, out, style }: CommandContext, deployments: readonly DeploymentDetail[]): string {
  const now = deps.clock.now();
  const columns: readonly Column<DeploymentDetail>[] = [
    { header: "ID", text: ({ id }) => id },
    {
      header: "OUTCOME",
      text: ({ outcome }) => outcome,
      paint: (text, { outcome }) => (outcome === "unknown" ? style.yellow(text) : text),
    },
    { header: "TARGET/NAMESPACE/RELEASE", shrinkTo: 12, text: placeOf },
    { header: "RUN", shrinkTo: 8, text: (one) => `${pipelineTitle(one)}#${one.number}` },
    { header: "STARTED", text: ({ created_at }) => (out.isTTY ? formatAge(created_at, now) : created_at) },
    { header: "RESOLVED BY", shrinkTo: 6, text: ({ resolved_by }) => sanitizeName(resolved_by ?? "") },
  ];
  const hasResolved = deployments.some(({ resolved_by }) => resolved_by !== null);
  return renderTable(hasResolved ? columns : columns.slice(0, -1), deployments, {
    style,
    width: out.isTTY ? out.columns : null,
  });
}
