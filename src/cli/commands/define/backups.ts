/** Definitions of `backup` and `restore`. */
import type { Command } from "commander";
import type { Choose, SharedOptions } from "./define.ts";
import type { Shared } from "./deployments.ts";

export function defineBackups(
  program: Command,
  choose: Choose,
  shared: Pick<Shared, "output" | "config">,
): void {
  program
    .command("backup")
    .description("write the data directory and its database to one file")
    .argument("<file>", "file to write, or - for standard output")
    .option("--force", "replace an existing file")
    .addOption(shared.output())
    .addOption(shared.config())
    .action((file: string, options: SharedOptions & { force?: true }) =>
      choose(options, async (context) => {
        const { backupCommand } = await import("../server/backup.ts");
        return await backupCommand(context, { file, existing: options.force ? "replace" : "never" });
      }),
    );
  program
    .command("restore")
    .description("restore a backup into an empty data directory and an empty database")
    .argument("<file>", "backup file, or - for standard input")
    .addOption(shared.output())
    .addOption(shared.config())
    .action((file: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { restoreCommand } = await import("../server/backup.ts");
        return await restoreCommand(context, file);
      }),
    );
}
