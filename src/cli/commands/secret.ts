/** `shipinator secret set|list|remove|rotate`. */
import { Problem } from "../../kernel/index.ts";
import type { Client, ProjectDetail, SecretDetail } from "../../operations/index.ts";
import { asData, type CommandContext, note, writeData } from "../context.ts";
import { EXIT } from "../errors.ts";
import { withReader } from "../session.ts";
import { formatAge } from "../terminal/format.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import { renderTable } from "../terminal/table.ts";
import { all } from "./pipeline.ts";

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
    const { id, name: called } = await projectOf(client, project);
    const secret = await client.secrets.put(id, name, value);
    if (asData(context)) await writeData(context, secret);
    else out.write(`secret ${sanitizeName(name)} of project ${sanitizeName(called)}\n`);
    return EXIT.done;
  });
}

export async function listSecretsCommand(context: CommandContext, project: string | null): Promise<number> {
  const { deps, out, style } = context;
  return await withReader(context, async ({ client }) => {
    const { id, name } = await projectOf(client, project);
    const secrets = await client.secrets.list(id);
    const now = deps.clock.now();
    const when = (time: string) => (out.isTTY ? formatAge(time, now) : time);
    if (asData(context)) await writeData(context, secrets);
    else if (secrets.length === 0)
      note(
        context,
        `project ${sanitizeName(name)} has no secrets; this sets one: shipinator secret set NAME`,
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
    const { id, name: called } = await projectOf(client, project);
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

/** The one that was named, else the only one. */
async function projectOf(client: Client, name: string | null): Promise<ProjectDetail> {
  const projects = await all((cursor) => client.projects.list({ limit: 200, cursor }));
  const [only] = projects;
  if (name === null && only !== undefined && projects.length === 1) return only;
  const found = projects.find((one) => one.name === name);
  if (found !== undefined) return found;
  const there = projects.map((one) => one.name).join(", ");
  throw new Problem(
    name === null ? "usage" : "not_found",
    name === null ? "a secret belongs to a project" : `there is no project ${JSON.stringify(name)}`,
    {
      remedy:
        there === ""
          ? "Make one with: shipinator pipeline add"
          : `Name one of these with --project: ${there}`,
    },
  );
}
