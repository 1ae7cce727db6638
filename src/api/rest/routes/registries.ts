/** Logins of a project for the registries that its steps push to. */
import { z } from "zod";
import { idParameter, listOf, newRegistryLogin, registryLogin } from "../../../contract/index.ts";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";

const tags = ["registries"];
const parameters = z.object({ id: z.string().max(64), host: z.string().max(259) });

export function registryRoutes(app: App): void {
  app.route({
    method: "PUT",
    url: "/v1/projects/:id/registries/:host",
    config: { access: "registries.put" },
    schema: {
      tags,
      summary: "Set a project's login for a registry",
      operationId: "putRegistryLogin",
      params: parameters,
      body: newRegistryLogin,
      response: answers({ 200: registryLogin }),
    },
    handler: ({ client, params, body }) => client.registries.put(params.id, params.host, body),
  });
  app.route({
    method: "GET",
    url: "/v1/projects/:id/registries",
    config: { access: "registries.list" },
    schema: {
      tags,
      summary: "List a project's logins for registries",
      operationId: "listRegistryLogins",
      params: idParameter,
      response: answers({ 200: listOf(registryLogin) }),
    },
    handler: async ({ client, params }) => ({ items: [...(await client.registries.list(params.id))] }),
  });
  app.route({
    method: "DELETE",
    url: "/v1/projects/:id/registries/:host",
    config: { access: "registries.remove" },
    schema: {
      tags,
      summary: "Remove a project's login for a registry",
      operationId: "deleteRegistryLogin",
      params: parameters,
      response: answers({ 204: z.null() }),
    },
    async handler({ client, params }, reply) {
      await client.registries.remove(params.id, params.host);
      return await reply.status(204).send(null);
    },
  });
}
