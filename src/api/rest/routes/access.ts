/** Tokens, the audit, and deployments that wait for a person's word. */
import {
  auditEntry,
  caller,
  deployment,
  deploymentResolution,
  idParameter,
  newToken,
  pageOf,
  pageQuery,
  token,
  tokenCreated,
} from "../../../contract/index.ts";
import { answers } from "../answers.ts";
import type { App } from "../context.ts";

export function accessRoutes(app: App): void {
  app.route({
    method: "POST",
    url: "/v1/tokens",
    config: { access: "tokens.create" },
    schema: {
      tags: ["tokens"],
      summary: "Make a token; it is shown this once",
      operationId: "createToken",
      body: newToken,
      response: answers({ 201: tokenCreated }),
    },
    async handler({ client, body, resourceId: id }, reply) {
      const made = await client.tokens.create({ ...body, id });
      return await reply.status(201).header("cache-control", "no-store").send(made);
    },
  });
  app.route({
    method: "GET",
    url: "/v1/tokens",
    config: { access: "tokens.list" },
    schema: {
      tags: ["tokens"],
      summary: "List tokens, newest first",
      operationId: "listTokens",
      querystring: pageQuery,
      response: answers({ 200: pageOf(token) }),
    },
    handler: ({ client, query }) => client.tokens.list(query),
  });
  app.route({
    method: "DELETE",
    url: "/v1/tokens/:id",
    config: { access: "tokens.revoke" },
    schema: {
      tags: ["tokens"],
      summary: "Revoke a token, at once",
      operationId: "revokeToken",
      params: idParameter,
      response: answers({ 200: token }),
    },
    handler: ({ client, params }) => client.tokens.revoke(params.id),
  });
  app.route({
    method: "GET",
    url: "/v1/caller",
    config: { access: "caller.get" },
    schema: {
      tags: ["tokens"],
      summary: "Show who asks, and what they may",
      operationId: "getCaller",
      response: answers({ 200: caller }),
    },
    handler: ({ client }) => client.whoami(),
  });
  app.route({
    method: "GET",
    url: "/v1/audit",
    config: { access: "audit.list" },
    schema: {
      tags: ["tokens"],
      summary: "Who did what is dangerous, newest first",
      operationId: "listAudit",
      querystring: pageQuery,
      response: answers({ 200: pageOf(auditEntry) }),
    },
    handler: ({ client, query }) => client.audit(query),
  });
  app.route({
    method: "GET",
    url: "/v1/deployments",
    config: { access: "deployments.list" },
    schema: {
      tags: ["deployments"],
      summary: "List deployments, newest first",
      operationId: "listDeployments",
      querystring: pageQuery,
      response: answers({ 200: pageOf(deployment) }),
    },
    handler: ({ client, query }) => client.deployments(query),
  });
  app.route({
    method: "POST",
    url: "/v1/deployments/:id/resolve",
    config: { access: "deployments.resolve" },
    schema: {
      tags: ["deployments"],
      summary: "Settle a deployment whose outcome is unknown",
      operationId: "resolveDeployment",
      params: idParameter,
      body: deploymentResolution,
      response: answers({ 200: deployment }),
    },
    handler: ({ client, params, body }) => client.resolveDeployment(params.id, body.outcome, ""),
  });
}
