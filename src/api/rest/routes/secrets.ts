/** Secrets of projects: written and named, never read. */
import { z } from "zod";
import { idParameter, listOf, newSecret, secret, secretRotation } from "../../../contract/index.ts";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";

const tags = ["secrets"];
const parameters = z.object({ id: z.string().max(64), name: z.string().max(128) });

export function secretRoutes(app: App): void {
  app.route({
    method: "PUT",
    url: "/v1/projects/:id/secrets/:name",
    config: { access: "secrets.put" },
    schema: {
      tags,
      summary: "Set a project's secret; nobody reads it back",
      operationId: "putSecret",
      params: parameters,
      body: newSecret,
      response: answers({ 200: secret }),
    },
    handler: ({ client, params, body }) => client.secrets.put(params.id, params.name, body.value),
  });
  app.route({
    method: "GET",
    url: "/v1/projects/:id/secrets",
    config: { access: "secrets.list" },
    schema: {
      tags,
      summary: "List the names of a project's secrets",
      operationId: "listSecrets",
      params: idParameter,
      response: answers({ 200: listOf(secret) }),
    },
    handler: async ({ client, params }) => ({ items: [...(await client.secrets.list(params.id))] }),
  });
  app.route({
    method: "DELETE",
    url: "/v1/projects/:id/secrets/:name",
    config: { access: "secrets.remove" },
    schema: {
      tags,
      summary: "Remove a project's secret",
      operationId: "deleteSecret",
      params: parameters,
      response: answers({ 204: z.null() }),
    },
    async handler({ client, params }, reply) {
      await client.secrets.remove(params.id, params.name);
      return await reply.status(204).send(null);
    },
  });
  app.route({
    method: "POST",
    url: "/v1/secrets/rotate",
    config: { access: "secrets.rotate" },
    schema: {
      tags,
      summary: "Seal all secrets with a new key",
      operationId: "rotateSecrets",
      body: z.strictObject({}),
      response: answers({ 200: secretRotation }),
    },
    handler: ({ client }) => client.secrets.rotate(),
  });
}
