/** `shipinator.v1.ProjectService` over a `Client`. */
import type { ServiceImpl } from "@connectrpc/connect";
import { z } from "zod";
import { newProject, pageQuery, projectChange } from "../../contract/index.ts";
import type { Callers } from "./callers.ts";
import {
  CreateProjectRequestSchema,
  CreateProjectResponseSchema,
  GetCallerResponseSchema,
  GetProjectResponseSchema,
  ListProjectsRequestSchema,
  ListProjectsResponseSchema,
  type ProjectService,
  RemoveProjectResponseSchema,
  UpdateProjectRequestSchema,
  UpdateProjectResponseSchema,
} from "./generated/shipinator.ts";
import { checked, message, wireOf } from "./messages.ts";

const reference = z.object({ project: z.string().min(1, "is empty").max(1_024) });

export function projectService(callers: Callers): ServiceImpl<typeof ProjectService> {
  return {
    async listProjects(request, context) {
      const { client } = await callers.enter(context, "projects.list");
      const asked = checked(pageQuery, wireOf(ListProjectsRequestSchema, request));
      return message(ListProjectsResponseSchema, await client.projects.list(asked));
    },
    async getProject({ project }, context) {
      const { client } = await callers.enter(context, "projects.get");
      checked(reference, { project });
      return message(GetProjectResponseSchema, { project: await client.projects.get(project) });
    },
    async createProject(request, context) {
      const entered = await callers.enter(context, "projects.create");
      const asked = checked(newProject, wireOf(CreateProjectRequestSchema, request));
      const project = await callers.once(context, entered, asked, (id) =>
        entered.client.projects.create({ ...asked, id }),
      );
      return message(CreateProjectResponseSchema, { project });
    },
    async updateProject(request, context) {
      const { client } = await callers.enter(context, "projects.update");
      const { project } = checked(reference, { project: request.project });
      const asked = checked(projectChange, wireOf(UpdateProjectRequestSchema, request, "project"));
      return message(UpdateProjectResponseSchema, { project: await client.projects.update(project, asked) });
    },
    async removeProject({ project, force }, context) {
      const { client } = await callers.enter(context, "projects.remove");
      checked(reference, { project });
      await client.projects.remove(project, force ? "remove" : "refuse");
      return message(RemoveProjectResponseSchema, {});
    },
    async getCaller(_request, context) {
      const { client } = await callers.enter(context, "caller.get");
      return message(GetCallerResponseSchema, { caller: await client.whoami() });
    },
  };
}
