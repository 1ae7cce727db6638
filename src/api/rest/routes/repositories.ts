/** `/v1/repositories` */
import { z } from "zod";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";
import { goneSignal } from "../gone.ts";
import { idParameter, pageOf, pageQuery, repository, repositoryCheck } from "../schemas.ts";

const cloneUrl = z.string().max(2048).meta({
  description: "Without credentials: those are secrets.",
  example: "https://git.example/team/app.git",
});
const branch = z.string().max(1024).nullable();
const provider = z.enum(["git", "gitea", "forgejo", "github", "gitlab"]);
const cloneSecret = z.string().max(128).nullable().meta({
  description:
    "Name of the project's secret that opens it: a token or password (https), a private key (ssh).",
  example: "GIT_TOKEN",
});
const cloneUsername = z.string().max(256).nullable().meta({
  description:
    "Goes with the secret to an https address; null: what hosts of this kind take together with a token.",
});
const credential = { clone_secret: cloneSecret.optional(), clone_username: cloneUsername.optional() };
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
      body: z.strictObject({
        project_id: z.string().max(64),
        clone_url: cloneUrl,
        vcs_provider: provider.optional(),
        default_branch: branch.optional(),
        ...credential,
      }),
      response: answers({ 201: repository }),
    },
    async handler({ client, body, resourceId: id }, reply) {
      const made = await client.repositories.create({ ...body, ...(id === undefined ? {} : { id }) });
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
      querystring: z.strictObject({ ...pageQuery, project_id: z.string().max(64).optional() }),
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
      body: z.strictObject({
        clone_url: cloneUrl.optional(),
        vcs_provider: provider.optional(),
        default_branch: branch.optional(),
        ...credential,
      }),
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
