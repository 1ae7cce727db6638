/** The commands about deployments: names, arguments, options, help. */
import type { Command, Option } from "commander";
import { Problem } from "../../kernel/index.ts";
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
    .description("show what was deployed; settle what is unknown")
    .helpCommand(false);
  deployments
    .command("list", { isDefault: true })
    .alias("ls")
    .description("show the newest deployments")
    .option("-n, --limit <number>", "at most so many", shared.parseLimit, 20)
    .addOption(shared.output())
    .addOption(shared.config())
    .addOption(shared.server())
    .addOption(shared.token())
    .action((options: SharedOptions & { limit: number }) =>
      choose(options, async (context) => {
        const { listDeploymentsCommand } = await import("./deployments.ts");
        return await listDeploymentsCommand(context, options.limit);
      }),
    );
  deployments
    .command("resolve")
    .description("say how a deployment ended whose outcome is unknown")
    .argument("<deployment>", "an id or the beginning of one")
    .option("--succeeded", "it has taken effect")
    .option("--failed", "it has not")
    .addOption(shared.output())
    .addOption(shared.config())
    .addOption(shared.server())
    .addOption(shared.token())
    .action((deployment: string, options: ResolveOptions) =>
      choose(options, async (context) => {
        const outcome = outcomeOf(options);
        const { resolveDeploymentCommand } = await import("./deployments.ts");
        return await resolveDeploymentCommand(context, { deployment, outcome });
      }),
    );
}

function outcomeOf({ succeeded, failed }: ResolveOptions): "succeeded" | "failed" {
  if (succeeded === failed)
    throw new Problem("usage", "how the deployment ended must be said by one of --succeeded and --failed", {
      remedy: "Look at the target first: what is there decides whether the next deploy may begin.",
    });
  return succeeded ? "succeeded" : "failed";
}
