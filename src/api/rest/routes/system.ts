/** Routes without a token: liveness, readiness, version and the OpenAPI document. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { Problem } from "../../../kernel/index.ts";
import { answers, forms } from "../answers.ts";
import type { App, RouteContext } from "../context.ts";

const tags = ["system"];
const state = z.object({ status: z.string() });

export function systemRoutes(app: App, context: RouteContext): void {
  app.route({
    method: "GET",
    url: "/healthz",
    config: { access: "open" },
    schema: {
      tags,
      summary: "Whether the process lives; it asks nobody",
      operationId: "healthz",
      response: answers({ 200: state }),
    },
    handler: async () => ({ status: "alive" }),
  });
  app.route({
    method: "GET",
    url: "/readyz",
    config: { access: "open" },
    schema: {
      tags,
      summary:
        "Whether requests are to be sent here: the database answers, the runs of the process before are taken over, and the server is not stopping",
      operationId: "readyz",
      response: answers({ 200: state }),
    },
    async handler() {
      if (context.stopping.aborted) throw new Problem("unavailable", "The server is stopping.");
      const why = await context.unreadyReason();
      if (why !== null) throw why;
      return { status: "ready" };
    },
  });
  app.route({
    method: "GET",
    url: "/v1/version",
    config: { access: "open" },
    schema: {
      tags,
      summary: "The server's version",
      operationId: "version",
      response: answers({ 200: z.object({ version: z.string() }) }),
    },
    handler: async () => ({ version: context.version }),
  });
  app.route({
    method: "GET",
    url: "/metrics",
    config: { access: "metrics.read" },
    schema: {
      tags,
      summary: "Metrics for Prometheus",
      operationId: "metrics",
      response: answers({ 200: forms("Text in Prometheus' format.", { "text/plain": z.string() }) }),
    },
    async handler(_request, reply) {
      const { type, text } = await context.metrics();
      return await reply.type(type).send(text);
    },
  });
  app.route({
    method: "GET",
    url: "/openapi.json",
    config: { access: "open" },
    schema: {
      tags,
      summary: "This document",
      operationId: "openapi",
      response: answers({ 200: z.unknown() }),
    },
    async handler(_request, reply) {
      return await reply.type("application/json; charset=utf-8").send(openApiDocument());
    },
  });
}

let document: string | undefined;

/** Generated and checked in; read when it is first asked for. */
function openApiDocument(): string {
  document ??= readFileSync(new URL("../../../../docs/schema/openapi.json", import.meta.url), "utf8");
  return document;
}
