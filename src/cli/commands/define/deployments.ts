/** Definitions of the commands for deployments. */
import type { Command, Option } from "commander";
import { Problem } from "../../../kernel/index.ts";
import type { Choose, SharedOptions } from "./define.ts";

export interface Shared {
  readonly output: () => Option;
  readonly config: () => Option;
  readonly server: () => Option;
  readonly token: () => Option;
  readonly parseLimit: (value: string) => number;
}

type ResolveOptions = SharedOptions & { succeeded?: true; failed?: true };

export function defineDeployments(program: Command, choose: Choose, shared: Shared): void {
  const deployments = program
    .command("deployments")
    .description("list deployments, and resolve unknown outcomes")
    .helpCommand(false);
  deployments
    .command("list", { isDefault: true })
    .alias("ls")
    .description("list the newest deployments")
    .option("-n, --limit <number>", "maximum number of deployments", shared.parseLimit, 20)
    .addOption(shared.output())
    .addOption(shared.config())
    .addOption(shared.server())
    .addOption(shared.token())
    .action((options: SharedOptions & { limit: number }) =>
      choose(options, async (context) => {
        const { listDeploymentsCommand } = await import("../runs/deployments.ts");
        return await listDeploymentsCommand(context, options.limit);
      }),
    );
  deployments
    .command("resolve")
    .description("record the outcome of a deployment whose outcome is unknown")
    .argument("<deployment>", "id or a prefix of one")
    .option("--succeeded", "the deployment has taken effect")
    .option("--failed", "the deployment has not taken effect")
    .addOption(shared.output())
    .addOption(shared.config())
    .addOption(shared.server())
    .addOption(shared.token())
    .action((deployment: string, options: ResolveOptions) =>
      choose(options, async (context) => {
        const outcome = outcomeOf(options);
        const { resolveDeploymentCommand } = await import("../runs/deployments.ts");
        return await resolveDeploymentCommand(context, { deployment, outcome });
      }),
    );
}

function outcomeOf({ succeeded, failed }: ResolveOptions): "succeeded" | "failed" {
  if (succeeded === failed)
    throw new Problem("usage", "Exactly one of --succeeded and --failed is required.", {
      remedy: "Check the target first, because the outcome decides whether the next deploy can begin.",
    });
  return succeeded ? "succeeded" : "failed";
}
