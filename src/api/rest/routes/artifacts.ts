/** `/v1/artifacts`: what is known of one, and its bytes, verified while they are sent. */
import { Readable } from "node:stream";
import { z } from "zod";
import { type ArtifactDetail, artifact, idParameter } from "../../../contract/index.ts";
import { answers, forms } from "../answers.ts";
import type { App } from "../context.ts";
import { goneSignal } from "../gone.ts";
import { matchesTag, requestedSlice } from "../ranges.ts";

const tags = ["artifacts"];

export function artifactRoutes(app: App): void {
  app.route({
    method: "GET",
    url: "/v1/artifacts/:id/metadata",
    config: { access: "artifacts.get" },
    schema: {
      tags,
      summary: "What is known of an artifact",
      operationId: "getArtifact",
      params: idParameter,
      response: answers({ 200: artifact }),
    },
    handler: ({ client, params }) => client.artifact(params.id),
  });
  app.route({
    method: "GET",
    url: "/v1/artifacts/:id/download",
    config: { access: "artifacts.download" },
    schema: {
      tags,
      summary: "An artifact's bytes",
      description:
        "Verified by their SHA-256 while they are sent: wrong bytes never complete. The entity tag is the digest; one range is served.",
      operationId: "downloadArtifact",
      params: idParameter,
      response: answers({
        200: forms("The payload.", { "application/octet-stream": z.file() }),
        206: forms("A part of it.", { "application/octet-stream": z.file() }),
        304: z.null().describe("The entity tag is the one that is known."),
      }),
    },
    async handler(request, reply) {
      const { client, params, headers, method } = request;
      const found = await client.artifact(params.id);
      const tag = `"sha256:${found.checksum}"`;
      reply
        .header("etag", tag)
        .header("accept-ranges", "bytes")
        .header("cache-control", "private, no-cache")
        .header("x-content-type-options", "nosniff")
        .header("content-security-policy", "sandbox; default-src 'none'")
        .header("content-disposition", disposition(found));
      if (matchesTag(headers["if-none-match"], tag)) return await reply.status(304).send();
      const whole = headers["if-range"] !== undefined && headers["if-range"] !== tag;
      const slice = requestedSlice(whole ? undefined : headers.range, found.size);
      const { start, end } = slice ?? { start: 0, end: found.size };
      reply.type("application/octet-stream").header("content-length", end - start);
      if (slice === null)
        reply.header("repr-digest", `sha-256=:${Buffer.from(found.checksum, "hex").toString("base64")}:`);
      else reply.status(206).header("content-range", `bytes ${start}-${end - 1}/${found.size}`);
      if (method === "HEAD") return await reply.send(Readable.from([]));
      const gone = goneSignal(reply);
      const bytes = client.download(found.id, gone, slice ?? undefined);
      return await reply.send(Readable.from(bytes, { objectMode: false }));
    },
  });
}

/** Always to be saved, never to be shown: the payload is whatever a step wrote. */
function disposition({ name, metadata }: ArtifactDetail): string {
  const file = metadata.form === "tar" ? `${name}.tar` : name;
  const plain = file.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(file).replaceAll("'", "%27")}`;
}
