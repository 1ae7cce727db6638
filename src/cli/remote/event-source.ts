/** Server-sent events that go on where they were when the connection breaks or the server asks for it. */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { Clock } from "../../kernel/index.ts";
import { BrokenAnswer, type HttpAnswer } from "./exchange.ts";
import { isAway, type Transport } from "./transport.ts";

export interface Follow {
  readonly path: string;
  /** The `Last-Event-ID` to begin with: what is already known. */
  readonly after: string;
  readonly signal: AbortSignal;
}

const pauseMs = 500;
/** A server that is away for longer has no planned restart. */
const patienceMs = 600_000;

/** Messages until the server's `end`, whose data comes last. */
export async function* follow(
  transport: Transport,
  clock: Clock,
  { path, after, signal }: Follow,
): AsyncGenerator<EventSourceMessage> {
  let last = after;
  let lostSince: number | null = null;
  while (!signal.aborted) {
    try {
      const headers = { accept: "text/event-stream", "last-event-id": last };
      for await (const message of messages(await transport.open(path, headers, signal))) {
        lostSince = null;
        if (message.event === "reconnect") break;
        if (message.id !== undefined) last = message.id;
        yield message;
        if (message.event === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const now = clock.monotonic();
      lostSince ??= now;
      if (!(isAway(error) || error instanceof BrokenAnswer) || now - lostSince > patienceMs) throw error;
    }
    await clock.sleep(pauseMs, signal);
  }
}

async function* messages({ body }: HttpAnswer): AsyncGenerator<EventSourceMessage> {
  const queue: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => void queue.push(message) });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* queue.splice(0);
  }
}
