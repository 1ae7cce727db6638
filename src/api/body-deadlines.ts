/**
 * A request's body has its time, from the first line on. Node's own limit holds for all requests of a server or for none;
 * uploads that keep coming may take longer (`paced`), so it is off, and this is in its place.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Problem } from "../kernel/index.ts";
import { refuseConnection } from "./refusals.ts";

export interface BodyDeadlines {
  /** To be called with each request as it comes. */
  watch(request: IncomingMessage, response: ServerResponse): void;
  /** Whoever reads the body cares for its pace. */
  lift(request: IncomingMessage): void;
}

export function createBodyDeadlines(ms: number): BodyDeadlines {
  const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();
  const lift = (request: IncomingMessage) => clearTimeout(timers.get(request));
  return {
    lift,
    watch(request, response) {
      const { "content-length": length, "transfer-encoding": encoding } = request.headers;
      if (encoding === undefined && (length === undefined || length === "0")) return;
      const late = () => {
        // An answer that is under way cannot become another one.
        if (response.headersSent) request.socket.destroy();
        else
          refuseConnection(
            new Problem("request_timeout", "the request did not come within its time"),
            request.socket,
          );
      };
      timers.set(request, setTimeout(late, ms).unref());
      request.once("end", () => lift(request));
      request.once("close", () => lift(request));
    },
  };
}
