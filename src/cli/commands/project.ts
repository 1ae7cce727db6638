/** `shipinator project list|add|rename|remove`. */
import type { ProjectDetail } from "../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../context.ts";
import { EXIT } from "../errors.ts";
import { withReader } from "../session.ts";
import { formatAge } from "../terminal/format.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import { renderTable } from "../terminal/table.ts";
import { all } from "./pipeline.ts";

export async function listProjectsCommand(context: CommandContext): Promise<number> {
  const { deps, out, style } = context;
  return await withReader(context, async ({ client }) => {
    const projects = await all((cursor) => client.projects.list({ limit: 200, cursor }));
    const now = deps.clock.now();
    if (asData(context)) await writeData(context, projects);
    else if (projects.length === 0)
      note(context, "no projects yet; this makes one: shipinator project add NAME");
    else
      out.write(
        renderTable<ProjectDetail>(
          [
            { header: "PROJECT", shrinkTo: 8, text: ({ name }) => sanitizeName(name) },
            {
              header: "MADE",
              text: ({ created_at }) => (out.isTTY ? formatAge(created_at, now) : created_at),
            },
            { header: "ID", text: ({ id }) => id },
            {
              header: "DESCRIPTION",
              shrinkTo: 12,
              narrow: "left out",
              text: ({ description }) => sanitizeName(description.split("\n", 1)[0] ?? ""),
            },
          ],
          projects,
          { style, width: out.isTTY ? out.columns : null },
        ),
      );
    return EXIT.done;
  });
}

export interface AddProjectArguments {
  readonly name: string;
  readonly description: string | undefined;
}

export async function addProjectCommand(context: CommandContext, args: AddProjectArguments): Promise<number> {
  return await withReader(context, async ({ client }) => {
    const project = await client.projects.create(args);
    if (asData(context)) await writeData(context, project);
    else context.out.write(`project ${sanitizeName(project.name)} is there\n`);
    return EXIT.done;
  });
}

export async function renameProjectCommand(
  context: CommandContext,
  reference: string,
  name: string,
): Promise<number> {
  return await withReader(context, async ({ client }) => {
    const before = await client.projects.get(reference);
    const project = await client.projects.update(before.id, { name });
    if (asData(context)) await writeData(context, project);
    else
      context.out.write(
        `project ${sanitizeName(before.name)} is called ${sanitizeName(project.name)} from now on\n`,
      );
    return EXIT.done;
  });
}

export async function removeProjectCommand(
  context: CommandContext,
  reference: string,
  contents: "refuse" | "remove",
): Promise<number> {
  return await withReader(context, async ({ client }) => {
    const project = await client.projects.get(reference);
    await client.projects.remove(project.id, contents);
    if (asData(context)) await writeData(context, project);
    else
      context.out.write(
        `project ${sanitizeName(project.name)} is removed; runs that it had stay until retention deletes them\n`,
      );
    return EXIT.done;
  });
}
