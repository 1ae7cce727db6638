/** A run's recorded transitions: what there is, or all that come. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { event, listOf, runParameter } from "../../../contract/index.ts";
import type { RunEvent, RunHead } from "../../../services/index.ts";
import { answers, forms } from "../answers.ts";
import type { App, RouteContext } from "../context.ts";
import { eventText, headOfStream } from "../event-streams.ts";

/** Events in one answer that is no stream. */
const pageSize = 1000;

export function eventRoutes(app: App, { streams }: RouteContext): void {
  app.route({
    method: "GET",
    url: "/v1/pipeline-runs/:run/events",
    config: { access: "runs.events" },
    schema: {
      tags: ["runs"],
      summary: "A run's recorded transitions",
      description:
        "As JSON: what is recorded after `after`, at most 1,000. With `Accept: text/event-stream`: those and all that come, each with its seq as id, resumed by `Last-Event-ID`, ended by an event `end`.",
      operationId: "listEvents",
      params: runParameter,
      querystring: z.strictObject({ after: z.coerce.number().int().min(0).max(2_147_483_647).optional() }),
      response: answers({
        200: forms("What is recorded, or all that comes.", {
          "application/json": listOf(event),
          "text/event-stream": z.string(),
        }),
      }),
    },
    async handler(request, reply) {
      const { client, params, query, headers } = request;
      const run = await client.head(params.run);
      const from = { run, after: query.after ?? seqOf(headers["last-event-id"]) };
      if ((headers.accept ?? "").includes("text/event-stream")) {
        if (request.method === "HEAD") return await headOfStream(reply);
        await stream(request, reply, from);
        return reply;
      }
      return { items: await recorded(request, from) };
    },
  });

  async function stream(request: FastifyRequest, reply: FastifyReply, { run, after }: From): Promise<void> {
    const { client } = request;
    const open = streams.open(request, reply);
    try {
      for await (const piece of client.eventPieces(run.id, after, open.signal))
        await open.sendText(textOf(piece));
      if (!open.signal.aborted)
        await open.send({ event: "end", data: { status: (await client.head(run.id)).status } });
    } catch (error) {
      request.log.warn({ err: error }, "a stream of events ended early");
    } finally {
      open.end();
    }
  }
}

const texts = new WeakMap<readonly RunEvent[], string>();

/** Made once for all who follow the run. */
function textOf(piece: readonly RunEvent[]): string {
  const text = texts.get(piece) ?? piece.map((one) => eventText(transition(one))).join("");
  texts.set(piece, text);
  return text;
}

const transition = (one: RunEvent) => ({ event: "transition", id: String(one.seq), data: one });

interface From {
  readonly run: RunHead;
  readonly after: number;
}

async function recorded({ client }: FastifyRequest, { run, after }: From): Promise<readonly RunEvent[]> {
  const items: RunEvent[] = [];
  if (after >= run.seq) return items;
  const enough = new AbortController();
  for await (const one of client.events(run.id, after, enough.signal)) {
    items.push(one);
    if (items.length === pageSize || one.seq >= run.seq) break;
  }
  enough.abort();
  return items;
}

function seqOf(header: string | string[] | undefined): number {
  return typeof header === "string" && /^\d{1,9}$/.test(header) ? Number(header) : 0;
}
