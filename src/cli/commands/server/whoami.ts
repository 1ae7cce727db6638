/** `shipinator whoami`: the user, the permissions and the server. */
import { asData, type CommandContext, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";

export async function whoamiCommand(context: CommandContext): Promise<number> {
  return await withClient(context, async ({ client, dataDir, location }) => {
    const caller = await client.whoami();
    if (asData(context)) await writeData(context, caller);
    else {
      const { name, scope, project, project_id, expires_at } = caller;
      const where = project_id === null ? "all projects" : `project ${sanitizeName(project ?? project_id)}`;
      const until = expires_at === null ? "" : `, until ${expires_at}`;
      const label = location === "server" ? "server" : "data directory";
      context.out.write(`${sanitizeName(name)}: ${scope} in ${where}${until}\n`);
      context.out.write(`  ${label} ${sanitizeName(dataDir)}\n`);
    }
    return EXIT.done;
  });
}
