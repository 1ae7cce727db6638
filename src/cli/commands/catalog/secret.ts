/** `shipinator secret set|list|remove|rotate`. */
import { shellWord } from "../../../kernel/index.ts";
import type { SecretDetail } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { count, formatAge } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { renderTable } from "../../terminal/table.ts";
import { findProject } from "./find-project.ts";

/** One byte more than the limit, so that a longer value is detected. */
const maxLength = 32_769;

/** Reads the value from standard input, so that no shell history or process list contains it. */
export async function setSecretCommand(
  context: CommandContext,
  name: string,
  project: string | null,
): Promise<number> {
  const { deps, out } = context;
  const given = Buffer.from(await deps.readStdin(maxLength + 2)).toString("utf8");
  // Editors and echo add one final line break, which is not part of the value.
  const value = given.replace(/\r?\n$/, "");
  return await withClient(context, async ({ client }) => {
    const { id, name: projectName } = await findProject(client, project, "A secret");
    const secret = await client.secrets.put(id, name, value);
    if (asData(context)) await writeData(context, secret);
    else out.write(`Set secret ${sanitizeName(name)} of project ${sanitizeName(projectName)}.\n`);
    return EXIT.done;
  });
}

export async function listSecretsCommand(context: CommandContext, project: string | null): Promise<number> {
  const { deps, out, style } = context;
  return await withClient(context, async ({ client }) => {
    const { id, name } = await findProject(client, project, "A secret");
    const secrets = await client.secrets.list(id);
    const now = deps.clock.now();
    const when = (time: string) => (out.isTTY ? formatAge(time, now) : time);
    if (asData(context)) await writeData(context, secrets);
    else if (secrets.length === 0)
      note(
        context,
        `Project ${sanitizeName(name)} has no secrets. Set one with: shipinator secret set NAME --project ${shellWord(name)}`,
      );
    else
      out.write(
        renderTable<SecretDetail>(
          [
            { header: "SECRET", shrinkTo: 8, text: (one) => sanitizeName(one.name) },
            { header: "SET", text: ({ updated_at }) => when(updated_at) },
            { header: "BY", shrinkTo: 8, text: ({ created_by }) => sanitizeName(created_by) },
          ],
          secrets,
          { style, width: out.isTTY ? out.columns : null },
        ),
      );
    return EXIT.done;
  });
}

export async function removeSecretCommand(
  context: CommandContext,
  name: string,
  project: string | null,
): Promise<number> {
  const { out } = context;
  return await withClient(context, async ({ client }) => {
    const { id, name: projectName } = await findProject(client, project, "A secret");
    await client.secrets.remove(id, name);
    if (asData(context)) await writeData(context, { project_id: id, name });
    else out.write(`Removed secret ${sanitizeName(name)} of project ${sanitizeName(projectName)}.\n`);
    return EXIT.done;
  });
}

export async function rotateSecretsCommand(context: CommandContext): Promise<number> {
  const { out } = context;
  return await withClient(context, async ({ client }) => {
    const { reencrypted } = await client.secrets.rotate();
    if (asData(context)) await writeData(context, { reencrypted });
    else out.write(`Encrypted ${count(reencrypted, "secret")} with the new key.\n`);
    return EXIT.done;
  });
}
