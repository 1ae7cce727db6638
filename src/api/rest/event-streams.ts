/**
 * Server-sent events. A stream ends when its reader goes, when nobody has read for a while, or when the server stops:
 * then it is told to come again, and goes on by `Last-Event-ID` where it was. What waits for a slow reader is bounded by
 * one piece and the socket's buffer, because a sender awaits each `send`.
 */
import { once } from "node:events";
import type { FastifyReply } from "fastify";
import { type Clock, Problem } from "../../kernel/index.ts";
import { createPlaces, type PlaceLimits } from "../http/places.ts";
import type { EventStream, StreamMessage, Streams } from "./context.ts";

/** A comment that keeps proxies from taking a quiet stream for a dead one, and finds readers that are gone. */
const keepAliveMs = 15_000;
/** A reader that takes nothing for so long is let go. */
const stalledMs = 30_000;
const reconnectMs = 1_000;

const head = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
} as const;

/** Answers a HEAD, which follows nothing. */
export async function headOfStream(reply: FastifyReply): Promise<unknown> {
  return await reply.headers(head).send("");
}

/** One message as it is on the wire. */
export function eventText({ event, id, data }: StreamMessage): string {
  const lines = [
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    `data: ${JSON.stringify(data)}`,
  ];
  return `${lines.join("\n")}\n\n`;
}

export function createEventStreams(clock: Clock, stopping: AbortSignal, limits: PlaceLimits): Streams {
  const places = createPlaces(limits);

  return {
    get count() {
      return places.count;
    },
    admit(caller) {
      if (stopping.aborted)
        throw new Problem("unavailable", "The server is stopping.", { remedy: "Come again." });
      const release = places.acquire(caller);
      if (release !== null) return release;
      throw new Problem("too_many_requests", "Too many streams of this token, or of all, are open already.", {
        remedy: "Close some, or use a token for each reader.",
      });
    },
    open(request, reply): EventStream {
      const leave = this.admit(request.callerKey);
      const response = reply.raw;
      const over = new AbortController();
      const end = () => {
        if (over.signal.aborted) return;
        over.abort();
        stopping.removeEventListener("abort", comeAgain);
        leave();
        if (!response.writableEnded) response.end();
      };
      const comeAgain = () => {
        if (!response.destroyed) response.write("event: reconnect\ndata: {}\n\n");
        end();
      };
      response.on("close", end);
      stopping.addEventListener("abort", comeAgain, { once: true });
      reply.hijack();
      response.writeHead(200, {
        ...head,
        "x-request-id": request.id,
      });
      response.write(`retry: ${reconnectMs}\n\n`);
      void keepAlive();

      async function keepAlive(): Promise<void> {
        for (;;) {
          await clock.sleep(keepAliveMs, over.signal);
          if (over.signal.aborted) return;
          if (!response.writableNeedDrain) response.write(": \n\n");
        }
      }

      async function drained(): Promise<void> {
        const patience = new AbortController();
        const either = AbortSignal.any([over.signal, patience.signal]);
        const stalled = clock.sleep(stalledMs, patience.signal).then(() => {
          if (patience.signal.aborted) return;
          response.destroy();
          end();
        });
        await once(response, "drain", { signal: either }).catch(() => undefined);
        patience.abort();
        await stalled;
      }

      return {
        signal: over.signal,
        send(message) {
          return this.sendText(eventText(message));
        },
        async sendText(text) {
          if (over.signal.aborted) return;
          if (!response.write(text)) await drained();
        },
        end,
      };
    },
  };
}
