/** The page that a browser finds at the server's address, until there are pages about runs. */
import { createHash } from "node:crypto";
import type { App } from "../context.ts";

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:42rem;margin:4rem auto;padding:0 1rem}
code{font-family:ui-monospace,monospace;font-size:.9em}
dt{margin-top:1rem;font-weight:600}dd{margin:0}`;

// Relative links work behind a proxy that serves this below a path.
const page = (version: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Shipinator</title>
<style>${style}</style>
<h1>Shipinator</h1>
<p>This is a Shipinator server, version ${version}. It builds, tests and deploys Git repositories as their
<code>.shipinator.yaml</code> says.</p>
<dl>
<dt>From a terminal</dt>
<dd><code>shipinator login ADDRESS &lt; token-file</code>, then <code>shipinator list</code>, <code>shipinator trigger
PIPELINE --follow</code>. Ask whoever runs the server for a token.</dd>
<dt>From a program</dt>
<dd><a href="docs">The API</a>, also as <a href="openapi.json">OpenAPI 3.1</a>; the same over gRPC.</dd>
<dt>Is it well?</dt>
<dd><a href="healthz">The process</a>, and <a href="readyz">whether it is ready</a>.</dd>
</dl>
</html>
`;

const styleHash = createHash("sha256").update(style).digest("base64");
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function frontRoutes(app: App, version: string): void {
  app.route({
    method: "GET",
    url: "/",
    config: { access: "open" },
    schema: { hide: true },
    handler: (_request, reply) =>
      reply.type("text/html; charset=utf-8").header("content-security-policy", policy).send(page(version)),
  });
}
