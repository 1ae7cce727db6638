/** `/v1/projects` */
import { z } from "zod";
import {
  newProject,
  pageOf,
  pageQuery,
  project,
  projectChange,
  projectParameter,
} from "../../../contract/index.ts";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";

const tags = ["projects"];

export function projectRoutes(app: App): void {
  app.route({
    method: "POST",
    url: "/v1/projects",
    config: { access: "projects.create" },
    schema: {
      tags,
      summary: "Make a project",
      operationId: "createProject",
      body: newProject,
      response: answers({ 201: project }),
    },
    async handler({ client, body, resourceId: id }, reply) {
      const made = await client.projects.create({ ...body, id });
      return await reply.status(201).header("location", `/v1/projects/${made.id}`).send(made);
    },
  });
  app.route({
    method: "GET",
    url: "/v1/projects",
    config: { access: "projects.list" },
    schema: {
      tags,
      summary: "List projects, newest first",
      operationId: "listProjects",
      querystring: pageQuery,
      response: answers({ 200: pageOf(project) }),
    },
    handler: ({ client, query }) => client.projects.list(query),
  });
  app.route({
    method: "GET",
    url: "/v1/projects/:id",
    config: { access: "projects.get" },
    schema: {
      tags,
      summary: "Show a project",
      operationId: "getProject",
      params: projectParameter,
      response: answers({ 200: project }),
    },
    handler: ({ client, params }) => client.projects.get(params.id),
  });
  app.route({
    method: "PATCH",
    url: "/v1/projects/:id",
    config: { access: "projects.update" },
    schema: {
      tags,
      summary: "Change a project",
      operationId: "updateProject",
      params: projectParameter,
      body: projectChange,
      response: answers({ 200: project }),
    },
    handler: ({ client, params, body }) => client.projects.update(params.id, body),
  });
  app.route({
    method: "DELETE",
    url: "/v1/projects/:id",
    config: { access: "projects.remove" },
    schema: {
      tags,
      summary: "Remove a project",
      description:
        "409 where it is not empty, with what is in it as `details`. With `force` it is removed with all of that: secrets and registry logins are deleted, tokens revoked, pipelines removed. 409 in either case while runs of it are not over.",
      operationId: "deleteProject",
      params: projectParameter,
      querystring: z.strictObject({ force: z.enum(["true", "false"]).optional() }),
      response: answers({ 204: z.null() }),
    },
    async handler({ client, params, query }, reply) {
      await client.projects.remove(params.id, query.force === "true" ? "remove" : "refuse");
      return await reply.status(204).send(null);
    },
  });
}
