/** Definitions of the commands that change pipelines and projects. */
import type { Command } from "commander";
import type { Choose, SharedOptions } from "./define.ts";
import { PIPELINE_HELP } from "./help-texts.ts";
import type { WithServer } from "./service.ts";

export function definePipelineChanges(pipeline: Command, choose: Choose, withServer: WithServer): void {
  withServer(
    pipeline
      .command("rename")
      .description("rename a pipeline")
      .argument("<pipeline>", PIPELINE_HELP)
      .argument("<name>", "new name, without the project"),
  ).action((reference: string, name: string, options: SharedOptions) =>
    choose(options, async (context) => {
      const { renamePipelineCommand } = await import("../catalog/change-pipeline.ts");
      return await renamePipelineCommand(context, reference, name);
    }),
  );
  withServer(
    pipeline
      .command("remove")
      .alias("rm")
      .description("remove a pipeline, and keep its runs until retention deletes them")
      .argument("<pipeline>", PIPELINE_HELP),
  ).action((reference: string, options: SharedOptions) =>
    choose(options, async (context) => {
      const { removePipelineCommand } = await import("../catalog/change-pipeline.ts");
      return await removePipelineCommand(context, reference);
    }),
  );
}

export function defineProjects(program: Command, choose: Choose, withServer: WithServer): void {
  const project = program
    .command("project")
    .description("list, add, rename and remove projects")
    .helpCommand(false);
  withServer(project.command("list", { isDefault: true }).alias("ls").description("list projects")).action(
    (options: SharedOptions) =>
      choose(options, async (context) => {
        const { listProjectsCommand } = await import("../catalog/project.ts");
        return await listProjectsCommand(context);
      }),
  );
  withServer(
    project
      .command("add")
      .description("add a project")
      .argument("<name>", "name of the project")
      .option("--description <text>", "description of the project"),
  ).action((name: string, options: SharedOptions & { readonly description?: string }) =>
    choose(options, async (context) => {
      const { addProjectCommand } = await import("../catalog/project.ts");
      return await addProjectCommand(context, { name, description: options.description });
    }),
  );
  withServer(
    project
      .command("rename")
      .description("rename a project")
      .argument("<project>", "name or id of the project")
      .argument("<name>", "new name"),
  ).action((reference: string, name: string, options: SharedOptions) =>
    choose(options, async (context) => {
      const { renameProjectCommand } = await import("../catalog/project.ts");
      return await renameProjectCommand(context, reference, name);
    }),
  );
  withServer(
    project
      .command("remove")
      .alias("rm")
      .description("remove an empty project")
      .argument("<project>", "name or id of the project")
      .option("--force", "also remove its pipelines, repositories, secrets, registry logins and tokens"),
  ).action((reference: string, options: SharedOptions & { readonly force?: true }) =>
    choose(options, async (context) => {
      const { removeProjectCommand } = await import("../catalog/project.ts");
      return await removeProjectCommand(context, reference, options.force ? "remove" : "refuse");
    }),
  );
}
