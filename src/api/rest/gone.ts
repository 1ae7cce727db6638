/** The end of a reader's interest. */
import type { FastifyReply } from "fastify";

/** Aborts when the connection has closed, also when the answer was sent whole. */
export function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once("close", () => gone.abort());
  return gone.signal;
}
