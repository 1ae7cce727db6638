/** `shipinator secret set|list|remove|rotate`. */
import { shellWord } from "../../kernel/index.ts";
import type { SecretDetail } from "../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../context.ts";
import { EXIT } from "../errors.ts";
import { withReader } from "../session.ts";
import { formatAge } from "../terminal/format.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import { renderTable } from "../terminal/table.ts";
import { projectOf } from "./project-of.ts";

/** One byte more than is kept, so that more is seen to be more. */
const longest = 32_769;

/** The value comes from standard input, where no history and no list of processes sees it. */
export async function setSecretCommand(
  context: CommandContext,
  name: string,
  project: string | null,
): Promise<number> {
  const { deps, out } = context;
  const given = Buffer.from(await deps.readStdin(longest + 2)).toString("utf8");
  // One line's end is the editor's or echo's; what is inside is the value's own.
  const value = given.replace(/\r?\n$/, "");
  return await withReader(context, async ({ client }) => {
    const { id, name: called } = await projectOf(client, project, "a secret");
    const secret = await client.secrets.put(id, name, value);
    if (asData(context)) await writeData(context, secret);
    else out.write(`secret ${sanitizeName(name)} of project ${sanitizeName(called)}\n`);
    return EXIT.done;
  });
}

export async function listSecretsCommand(context: CommandContext, project: string | null): Promise<number> {
  const { deps, out, style } = context;
  return await withReader(context, async ({ client }) => {
    const { id, name } = await projectOf(client, project, "a secret");
    const secrets = await client.secrets.list(id);
    const now = deps.clock.now();
    const when = (time: string) => (out.isTTY ? formatAge(time, now) : time);
    if (asData(context)) await writeData(context, secrets);
    else if (secrets.length === 0)
      note(
        context,
        `project ${sanitizeName(name)} has no secrets; this sets one: shipinator secret set NAME --project ${shellWord(name)}`,
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
  return await withReader(context, async ({ client }) => {
    const { id, name: called } = await projectOf(client, project, "a secret");
    await client.secrets.remove(id, name);
    if (asData(context)) await writeData(context, { project_id: id, name });
    else out.write(`project ${sanitizeName(called)} has no secret ${sanitizeName(name)} any more\n`);
    return EXIT.done;
  });
}

export async function rotateSecretsCommand(context: CommandContext): Promise<number> {
  const { out } = context;
  return await withReader(context, async ({ client }) => {
    const { resealed } = await client.secrets.rotate();
    if (asData(context)) await writeData(context, { resealed });
    else out.write(`${resealed} secret${resealed === 1 ? "" : "s"} sealed with the new key\n`);
    return EXIT.done;
  });
}
