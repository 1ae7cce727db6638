/**
 * The OpenAPI document as a page, for people: Swagger UI's own files, which @fastify/swagger-ui carries without the
 * telemetry of its npm package, and nothing from anywhere else. Its plugin is not used: it would cost every start.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { App } from "../context.ts";

// Relative, so that it works below a proxy's path too.
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The API of Shipinator</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
`;

const start = `SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
`;

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI sets the styles of its parts by itself.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const require = createRequire(import.meta.url);
const assets = [
  {
    name: "swagger-ui.css",
    type: "text/css; charset=utf-8",
    file: () => require.resolve("@fastify/swagger-ui/static/swagger-ui.css"),
  },
  {
    name: "swagger-ui-bundle.js",
    type: "text/javascript; charset=utf-8",
    file: () => require.resolve("@fastify/swagger-ui/static/swagger-ui-bundle.js"),
  },
] as const;

/** Pages are no part of the document: nobody calls them. */
const hidden = { hide: true } as const;

export function docsRoutes(app: App): void {
  app.route({
    method: "GET",
    url: "/docs",
    config: { access: "open" },
    schema: hidden,
    handler: (_request, reply) =>
      reply.type("text/html; charset=utf-8").header("content-security-policy", policy).send(page),
  });
  app.route({
    method: "GET",
    url: "/docs/start.js",
    config: { access: "open" },
    schema: hidden,
    handler: (_request, reply) => reply.type("text/javascript; charset=utf-8").send(start),
  });
  for (const { name, type, file } of assets)
    app.route({
      method: "GET",
      url: `/docs/${name}`,
      config: { access: "open" },
      schema: hidden,
      // Read when it is asked for: a server whose API nobody reads about keeps nothing of it.
      handler: async (_request, reply) =>
        await reply
          .type(type)
          .header("cache-control", "max-age=86400")
          .send(await readFile(file())),
    });
}
