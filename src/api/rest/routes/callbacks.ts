/** `/v1/executions/{id}/…`: the callbacks of remote executors. */
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import {
  begun,
  claimed,
  claimHeader,
  executorHeader,
  heartbeat,
  idParameter,
  logKept,
  report,
  reported,
  uploaded,
  uploadHeader,
  uploadQuery,
} from "../../../contract/index.ts";
import { Problem } from "../../../kernel/index.ts";
import type { CallbackClient, Download } from "../../../services/index.ts";
import { answers, forms } from "../answers.ts";
import type { App } from "../context.ts";
import { goneSignal } from "../gone.ts";
import { collect, paced } from "../paced.ts";
import { maxLogBytes, reportStatus } from "../report-status.ts";

const tags = ["callbacks"];
const config = { access: "execution" } as const;
const streamed = { access: "execution", body: "stream" } as const;
const namedParameters = z.object({ id: z.string().max(64), name: z.string().max(256) });

export function callbackRoutes(app: App): void {
  const empty = z.strictObject({}).nullish();
  app.route({
    method: "POST",
    url: "/v1/executions/:id/claim",
    config,
    schema: {
      tags,
      summary: "Take an attempt on: what it needs comes as the answer",
      operationId: "claimExecution",
      params: idParameter,
      headers: claimHeader,
      body: empty,
      response: answers({ 200: claimed }),
    },
    handler: ({ callbacks, headers }) => callbacks.claim(headers["executor-id"]),
  });
  app.route({
    method: "POST",
    url: "/v1/executions/:id/begin",
    config,
    schema: {
      tags,
      summary: "Record the begin, before the first command; refused once the attempt is to end",
      operationId: "beginExecution",
      params: idParameter,
      headers: executorHeader,
      body: empty,
      response: answers({ 200: begun }),
    },
    handler: (request) => request.callbacks.begin(by(request)),
  });
  app.route({
    method: "POST",
    url: "/v1/executions/:id/heartbeat",
    config,
    schema: {
      tags,
      summary: "Say that the attempt is still under way, and hear whether it is to end",
      operationId: "heartbeatExecution",
      params: idParameter,
      headers: executorHeader,
      body: empty,
      response: answers({ 200: heartbeat }),
    },
    handler: (request) => request.callbacks.heartbeat(by(request)),
  });
  app.route({
    method: "POST",
    url: "/v1/executions/:id/status",
    config,
    schema: {
      tags,
      summary: "Report the begin or the end of an attempt",
      description:
        "`running` is a begin and a heartbeat. A final state is reported once: the same again gets the first answer, another one 409. Success needs exit code 0, and every declared output uploaded before.",
      operationId: "reportExecution",
      params: idParameter,
      headers: executorHeader,
      body: report,
      response: answers({ 200: reported }),
    },
    handler: (request) => reportStatus(request.callbacks, by(request), request.body),
  });
  downloads(app);
  // Bodies here are bytes, whatever they are said to be.
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, payload, parsed) => parsed(null, payload));
    uploads(scope.withTypeProvider());
    done();
  });
}

function uploads(app: App): void {
  app.route({
    method: "PUT",
    url: "/v1/executions/:id/logs",
    config: streamed,
    schema: {
      tags,
      summary: "Add bytes to the log",
      description:
        "At most 4 MiB, as `application/octet-stream`. The same bytes again are fine, others 409; after a gap nothing is added, and `offset` says where to go on.",
      operationId: "appendExecutionLog",
      consumes: ["application/octet-stream"],
      params: idParameter,
      headers: executorHeader,
      querystring: z.strictObject({
        offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
      }),
      response: answers({ 200: logKept }),
    },
    async handler(request) {
      const bytes = await collect(paced(bodyOf(request)), maxLogBytes);
      return await request.callbacks.appendLog(by(request), request.query.offset, bytes);
    },
  });
  app.route({
    method: "PUT",
    url: "/v1/executions/:id/artifacts/:name",
    config: streamed,
    schema: {
      tags,
      summary: "Upload a declared output",
      description:
        "With Content-Length and `Content-Digest: sha-256=:BASE64:` (RFC 9530). The same bytes again get the same id.",
      operationId: "uploadOutput",
      consumes: ["application/octet-stream"],
      params: namedParameters,
      headers: uploadHeader,
      querystring: uploadQuery,
      response: answers({ 200: uploaded }),
    },
    async handler(request) {
      const { callbacks, params, query, headers, raw } = request;
      const { form, path = null, mode = null, files = null } = query;
      const gone = new AbortController();
      raw.once("aborted", () => gone.abort(new Problem("usage", "The upload was cut short.")));
      return await callbacks.upload(
        by(request),
        {
          name: params.name,
          sha256: digestOf(headers["content-digest"]),
          size: lengthOf(raw.headers["content-length"]),
          form,
          path,
          mode,
          files,
        },
        paced(bodyOf(request)),
        gone.signal,
      );
    },
  });
}

function downloads(app: App): void {
  app.route({
    method: "GET",
    url: "/v1/executions/:id/source",
    config,
    schema: {
      tags,
      summary: "The source tree as a tar",
      operationId: "getExecutionSource",
      params: idParameter,
      headers: executorHeader,
      response: answers({ 200: forms("A tar.", { "application/x-tar": z.file() }) }),
    },
    async handler(request, reply) {
      return await send(request, reply, "application/x-tar", await request.callbacks.source(by(request)));
    },
  });
  app.route({
    method: "GET",
    url: "/v1/executions/:id/inputs/:name",
    config,
    schema: {
      tags,
      summary: "An input's bytes, verified while they are sent",
      operationId: "getExecutionInput",
      params: namedParameters,
      headers: executorHeader,
      response: answers({ 200: forms("The payload.", { "application/octet-stream": z.file() }) }),
    },
    async handler(request, reply) {
      const input = await request.callbacks.input(by(request), request.params.name);
      return await send(request, reply, "application/octet-stream", input);
    },
  });
}

async function send(request: FastifyRequest, reply: FastifyReply, type: string, download: Download) {
  reply.type(type).header("x-content-type-options", "nosniff").header("cache-control", "no-store");
  if (download.size !== null) reply.header("content-length", download.size);
  if (download.sha256 !== null)
    reply.header("repr-digest", `sha-256=:${Buffer.from(download.sha256, "hex").toString("base64")}:`);
  if (request.method === "HEAD") return await reply.send(Readable.from([]));
  const bytes = download.bytes(goneSignal(reply))[Symbol.asyncIterator]();
  // What goes wrong before the first byte has an answer of its own.
  const first = await bytes.next();
  const rest = (async function* () {
    try {
      for (let next = first; next.done !== true; next = await bytes.next()) yield next.value;
    } finally {
      await bytes.return?.();
    }
  })();
  return await reply.send(Readable.from(rest, { objectMode: false }));
}

type Callback = FastifyRequest & { readonly callbacks: CallbackClient };

function by({ headers }: Pick<Callback, "headers">): string | null {
  const named = headers["executor-id"];
  return typeof named === "string" ? named : null;
}

function bodyOf({ body }: { readonly body: unknown }): AsyncIterable<Uint8Array> {
  return body instanceof Readable ? body : Readable.from([]);
}

function digestOf(header: string | undefined): string {
  const found = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)/.exec(header ?? "")?.[1];
  if (found !== undefined) return Buffer.from(found, "base64").toString("hex");
  throw new Problem("usage", "The Content-Digest of the upload has no SHA-256.", {
    place: "headers.content-digest",
    remedy: "Send Content-Digest: sha-256=:BASE64:",
  });
}

function lengthOf(header: string | undefined): number {
  if (header !== undefined && /^\d{1,15}$/.test(header)) return Number(header);
  throw new Problem("usage", "The upload has no Content-Length.", {
    place: "headers.content-length",
  });
}
