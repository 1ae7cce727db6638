/** `shipinator project list|add|rename|remove`. */
import type { ProjectDetail } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { formatAge } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { renderTable } from "../../terminal/table.ts";
import { readAllPages } from "./pipeline.ts";

export async function listProjectsCommand(context: CommandContext): Promise<number> {
  const { deps, out, style } = context;
  return await withClient(context, async ({ client }) => {
    const projects = await readAllPages((cursor) => client.projects.list({ limit: 200, cursor }));
    const now = deps.clock.now();
    if (asData(context)) await writeData(context, projects);
    else if (projects.length === 0)
      note(context, "There are no projects yet. Add one with: shipinator project add NAME");
    else
      out.write(
        renderTable<ProjectDetail>(
          [
            { header: "PROJECT", shrinkTo: 8, text: ({ name }) => sanitizeName(name) },
            {
              header: "CREATED",
              text: ({ created_at }) => (out.isTTY ? formatAge(created_at, now) : created_at),
            },
            { header: "ID", text: ({ id }) => id },
            {
              header: "DESCRIPTION",
              shrinkTo: 12,
              whenNarrow: "hidden",
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
  return await withClient(context, async ({ client }) => {
    const project = await client.projects.create(args);
    if (asData(context)) await writeData(context, project);
    else context.out.write(`Added project ${sanitizeName(project.name)}.\n`);
    return EXIT.done;
  });
}

export async function renameProjectCommand(
  context: CommandContext,
  reference: string,
  name: string,
): Promise<number> {
  return await withClient(context, async ({ client }) => {
    const before = await client.projects.get(reference);
    const project = await client.projects.update(before.id, { name });
    if (asData(context)) await writeData(context, project);
    else
      context.out.write(`Renamed project ${sanitizeName(before.name)} to ${sanitizeName(project.name)}.\n`);
    return EXIT.done;
  });
}

export async function removeProjectCommand(
  context: CommandContext,
  reference: string,
  contents: "refuse" | "remove",
): Promise<number> {
  return await withClient(context, async ({ client }) => {
    const project = await client.projects.get(reference);
    await client.projects.remove(project.id, contents);
    if (asData(context)) await writeData(context, project);
    else
      context.out.write(
        `Removed project ${sanitizeName(project.name)}. Its runs stay until retention deletes them.\n`,
      );
    return EXIT.done;
  });
}
