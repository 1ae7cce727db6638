/** Logs: bytes as the step wrote them, parts of them, and what comes. */
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { idParameter, listOf, logTime } from "../../../contract/index.ts";
import type { Client } from "../../../services/index.ts";
import { answers, forms } from "../answers.ts";
import type { App, RouteContext } from "../context.ts";
import { headOfStream } from "../event-streams.ts";
import { requestedSlice, type Slice } from "../ranges.ts";

const tags = ["logs"];
const query = z.strictObject({
  follow: z
    .enum(["", "true", "false"])
    .optional()
    .meta({ description: "Go on until the step has ended, as server-sent events." }),
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
});
const description =
  "Bytes as the step wrote them, also while it runs; ranges are served. With `follow`: server-sent events `{offset, base64}` whose id is the next offset, ended by an event `end`.";

const logAnswers = answers({
  200: forms("The bytes, or what comes.", { "text/plain": z.file(), "text/event-stream": z.string() }),
  206: forms("A part of the bytes.", { "text/plain": z.file() }),
});

export function logRoutes(app: App, { streams }: RouteContext): void {
  app.route({
    method: "GET",
    url: "/v1/executions/:id/logs",
    config: { access: "logs.read" },
    schema: {
      tags,
      summary: "The log of an attempt at a step",
      description,
      operationId: "getExecutionLog",
      params: idParameter,
      querystring: query,
      response: logAnswers,
    },
    handler: (request, reply) => serve(request, reply, { id: request.params.id, asked: request.query }),
  });
  app.route({
    method: "GET",
    url: "/v1/executions/:id/log-times",
    config: { access: "logs.read" },
    schema: {
      tags,
      summary: "When the log of an attempt was written, to about a second",
      description:
        "How many bytes were there at which moments: what is before an offset was written by its time. At most 20,000.",
      operationId: "getExecutionLogTimes",
      params: idParameter,
      response: answers({ 200: listOf(logTime) }),
    },
    handler: async ({ client, params }) => ({ items: [...(await client.logTimes(params.id))] }),
  });
  app.route({
    method: "GET",
    url: "/v1/job-steps/:id/logs",
    config: { access: "logs.read" },
    schema: {
      tags,
      summary: "The log of a step's newest attempt",
      description,
      operationId: "getStepLog",
      params: idParameter,
      querystring: query,
      response: logAnswers,
    },
    async handler(request, reply) {
      const id = await request.client.executionOf(request.params.id);
      return await serve(request, reply, { id, asked: request.query });
    },
  });

  async function serve(request: FastifyRequest, reply: FastifyReply, { id, asked }: Wanted) {
    const { client, headers, method } = request;
    const info = await client.logInfo(id);
    if (asked.follow === "" || asked.follow === "true") {
      if (method === "HEAD") return await headOfStream(reply);
      await follow(request, reply, { id, offset: asked.offset ?? offsetOf(headers["last-event-id"]) });
      return reply;
    }
    const slice = requestedSlice(headers.range, info.bytes);
    const { start, end } = slice ?? { start: Math.min(asked.offset ?? 0, info.bytes), end: info.bytes };
    reply
      .type("text/plain; charset=utf-8")
      .header("x-content-type-options", "nosniff")
      .header("content-security-policy", "sandbox; default-src 'none'")
      .header("cache-control", "no-store")
      .header("accept-ranges", "bytes")
      .header("content-length", end - start)
      .header("x-log-state", info.state);
    if (info.log_incomplete) reply.header("x-log-incomplete", "true");
    if (info.dropped !== null) reply.header("x-log-dropped", info.dropped);
    if (slice !== null) reply.status(206).header("content-range", `bytes ${start}-${end - 1}/${info.bytes}`);
    if (method === "HEAD") return await reply.send(Readable.from([]));
    return await reply.send(Readable.from(bytesOf(client, id, { start, end }), { objectMode: false }));
  }

  async function follow(request: FastifyRequest, reply: FastifyReply, { id, offset }: From): Promise<void> {
    const stream = streams.open(request, reply);
    try {
      const chunks = request.client.log({ executionId: id, offset, follow: true }, stream.signal);
      for await (const { offset: at, bytes } of chunks) {
        const base64 = Buffer.from(bytes).toString("base64");
        await stream.send({ id: String(at + bytes.length), data: { offset: at, base64 } });
      }
      if (!stream.signal.aborted) await stream.send({ event: "end", data: await request.client.logInfo(id) });
    } catch (error) {
      request.log.warn({ err: error }, "a followed log ended early");
    } finally {
      stream.end();
    }
  }
}

interface Wanted {
  readonly id: string;
  readonly asked: z.infer<typeof query>;
}

interface From {
  readonly id: string;
  readonly offset: number;
}

async function* bytesOf(client: Client, id: string, { start, end }: Slice): AsyncGenerator<Uint8Array> {
  const over = new AbortController();
  try {
    let at = start;
    for await (const { bytes } of client.log(
      { executionId: id, offset: start, follow: false },
      over.signal,
    )) {
      if (at >= end) return;
      yield bytes.subarray(0, end - at);
      at += bytes.length;
    }
  } finally {
    over.abort();
  }
}

function offsetOf(header: string | string[] | undefined): number {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : 0;
}
