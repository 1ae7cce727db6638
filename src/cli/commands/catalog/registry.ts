/** `shipinator registry set|list|remove`. */
import type { NewRegistryLogin, RegistryLogin } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { formatAge } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { renderTable } from "../../terminal/table.ts";
import { findProject } from "./find-project.ts";

const subject = "A registry login";

export interface LoginArguments extends NewRegistryLogin {
  readonly host: string;
  readonly project: string | null;
}

export async function setRegistryCommand(context: CommandContext, args: LoginArguments): Promise<number> {
  const { host, project, username, secret } = args;
  return await withClient(context, async ({ client }) => {
    const { id, name } = await findProject(client, project, subject);
    const login = await client.registries.put(id, host, { username, secret });
    if (asData(context)) await writeData(context, login);
    else
      context.out.write(
        `Project ${sanitizeName(name)} uses the login ${sanitizeName(login.username)} for ${login.host} with the secret ${login.secret}.\n`,
      );
    return EXIT.done;
  });
}

export async function listRegistriesCommand(
  context: CommandContext,
  project: string | null,
): Promise<number> {
  const { deps, out, style } = context;
  return await withClient(context, async ({ client }) => {
    const { id, name } = await findProject(client, project, subject);
    const logins = await client.registries.list(id);
    const now = deps.clock.now();
    const when = (time: string) => (out.isTTY ? formatAge(time, now) : time);
    if (asData(context)) await writeData(context, logins);
    else if (logins.length === 0)
      note(
        context,
        `Project ${sanitizeName(name)} has no logins. Set one with: shipinator registry set HOST --username USER --secret NAME`,
      );
    else
      out.write(
        renderTable<RegistryLogin>(
          [
            { header: "REGISTRY", shrinkTo: 12, text: (one) => sanitizeName(one.host) },
            { header: "USER", shrinkTo: 8, text: (one) => sanitizeName(one.username) },
            { header: "SECRET", shrinkTo: 8, text: (one) => sanitizeName(one.secret) },
            { header: "SET", text: ({ updated_at }) => when(updated_at) },
            { header: "BY", shrinkTo: 8, text: ({ created_by }) => sanitizeName(created_by) },
          ],
          logins,
          { style, width: out.isTTY ? out.columns : null },
        ),
      );
    return EXIT.done;
  });
}

export async function removeRegistryCommand(
  context: CommandContext,
  host: string,
  project: string | null,
): Promise<number> {
  return await withClient(context, async ({ client }) => {
    const { id, name } = await findProject(client, project, subject);
    await client.registries.remove(id, host);
    if (asData(context)) await writeData(context, { project_id: id, host });
    else context.out.write(`Removed the login of project ${sanitizeName(name)} for ${sanitizeName(host)}.\n`);
    return EXIT.done;
  });
}
