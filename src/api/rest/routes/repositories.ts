/** `/v1/repositories` */
import { z } from "zod";
import {
  idParameter,
  newRepository,
  pageOf,
  repository,
  repositoryChange,
  repositoryCheck,
  repositoryFilter,
} from "../../../contract/index.ts";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";
import { goneSignal } from "../gone.ts";

const tags = ["repositories"];

export function repositoryRoutes(app: App): void {
  app.route({
    method: "POST",
    url: "/v1/repositories",
    config: { access: "repositories.create" },
    schema: {
      tags,
      summary: "Register a repository in a project",
      operationId: "createRepository",
      body: newRepository,
      response: answers({ 201: repository }),
    },
    async handler({ client, body, resourceId: id }, reply) {
      const made = await client.repositories.create({ ...body, id });
      return await reply.status(201).header("location", `/v1/repositories/${made.id}`).send(made);
    },
  });
  app.route({
    method: "GET",
    url: "/v1/repositories",
    config: { access: "repositories.list" },
    schema: {
      tags,
      summary: "List repositories, newest first",
      operationId: "listRepositories",
      querystring: repositoryFilter,
      response: answers({ 200: pageOf(repository) }),
    },
    handler: ({ client, query }) => client.repositories.list(query),
  });
  app.route({
    method: "GET",
    url: "/v1/repositories/:id",
    config: { access: "repositories.get" },
    schema: {
      tags,
      summary: "Show a repository",
      operationId: "getRepository",
      params: idParameter,
      response: answers({ 200: repository }),
    },
    handler: ({ client, params }) => client.repositories.get(params.id),
  });
  app.route({
    method: "PATCH",
    url: "/v1/repositories/:id",
    config: { access: "repositories.update" },
    schema: {
      tags,
      summary: "Change a repository",
      operationId: "updateRepository",
      params: idParameter,
      body: repositoryChange,
      response: answers({ 200: repository }),
    },
    handler: ({ client, params, body }) => client.repositories.update(params.id, body),
  });
  app.route({
    method: "POST",
    url: "/v1/repositories/:id/check",
    config: { access: "repositories.check" },
    schema: {
      tags,
      summary: "Read the default branch and its pipeline file as a run would; no run is made",
      operationId: "checkRepository",
      params: idParameter,
      response: answers({ 200: repositoryCheck }),
    },
    async handler({ client, params }, reply) {
      return await client.repositories.check(params.id, goneSignal(reply));
    },
  });
  app.route({
    method: "DELETE",
    url: "/v1/repositories/:id",
    config: { access: "repositories.remove" },
    schema: {
      tags,
      summary: "Remove a repository that has no pipelines",
      operationId: "deleteRepository",
      params: idParameter,
      response: answers({ 204: z.null() }),
    },
    async handler({ client, params }, reply) {
      await client.repositories.remove(params.id);
      return await reply.status(204).send(null);
    },
  });
}
