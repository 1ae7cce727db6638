/** The commands that keep everything, and bring it back. */
import type { Command } from "commander";
import type { Choose, SharedOptions } from "./define.ts";
import type { Shared } from "./define-deployments.ts";

export function defineBackups(
  program: Command,
  choose: Choose,
  shared: Pick<Shared, "output" | "config">,
): void {
  program
    .command("backup")
    .description("keep everything of this data directory and its database in one file")
    .argument("<file>", "the file, or - for standard output")
    .option("--force", "replace a file that is there")
    .addOption(shared.output())
    .addOption(shared.config())
    .action((file: string, options: SharedOptions & { force?: true }) =>
      choose(options, async (context) => {
        const { backupCommand } = await import("./backup.ts");
        return await backupCommand(context, { file, existing: options.force ? "replace" : "never" });
      }),
    );
  program
    .command("restore")
    .description("bring a backup back, into an empty data directory and an empty database")
    .argument("<file>", "the backup, or - for standard input")
    .addOption(shared.output())
    .addOption(shared.config())
    .action((file: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { restoreCommand } = await import("./backup.ts");
        return await restoreCommand(context, file);
      }),
    );
}
