/** `shipinator.v1.ProjectService` over a `Client`. */
import type { ServiceImpl } from "@connectrpc/connect";
import { z } from "zod";
import { pageQuery } from "../rest/schemas.ts";
import type { Callers } from "./callers.ts";
import {
  CreateProjectResponseSchema,
  GetCallerResponseSchema,
  GetProjectResponseSchema,
  ListProjectsResponseSchema,
  type ProjectService,
  RemoveProjectResponseSchema,
  UpdateProjectResponseSchema,
} from "./generated/shipinator.ts";
import { checked, message } from "./pipelines.ts";

const name = z.string().max(1_024);
const description = z.string().max(4_096).optional();
const reference = z.object({ project: name.min(1, "is empty") });
const page = z.object({ limit: pageQuery.limit, cursor: pageQuery.cursor });
const created = z.object({ name, description });
const change = reference.extend({ name: name.optional(), description });

export function projectService(callers: Callers): ServiceImpl<typeof ProjectService> {
  return {
    async listProjects({ limit, cursor }, context) {
      const { client } = await callers.enter(context, "projects.list");
      const asked = checked(page, { limit, cursor });
      return message(ListProjectsResponseSchema, await client.projects.list(asked));
    },
    async getProject({ project }, context) {
      const { client } = await callers.enter(context, "projects.get");
      checked(reference, { project });
      return message(GetProjectResponseSchema, { project: await client.projects.get(project) });
    },
    async createProject(request, context) {
      const entered = await callers.enter(context, "projects.create");
      const asked = checked(created, { name: request.name, description: request.description });
      const project = await callers.once(context, entered, asked, (id) =>
        entered.client.projects.create({ ...asked, id }),
      );
      return message(CreateProjectResponseSchema, { project });
    },
    async updateProject(request, context) {
      const { client } = await callers.enter(context, "projects.update");
      const { project, ...asked } = checked(change, {
        project: request.project,
        name: request.name,
        description: request.description,
      });
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
