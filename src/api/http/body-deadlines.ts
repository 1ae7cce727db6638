/**
 * A request's body has its time, from the first line on. Node's own limit holds for all requests of a server or for none;
 * uploads that keep coming may take longer (`paced`), so it is off, and this is in its place.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest } from "node:http2";
import { Problem } from "../../kernel/index.ts";
import { refuseConnection } from "./refusals.ts";

const isHttp2 = (request: object): request is Http2ServerRequest =>
  "stream" in request && request.stream !== undefined;

export interface BodyDeadlines {
  /** To be called with each request as it comes. */
  watch(request: IncomingMessage, response: ServerResponse): void;
  /** Whoever reads the body cares for its pace. */
  lift(request: object): void;
}

function hasBody(request: IncomingMessage): boolean {
  if (isHttp2(request)) return !request.stream.endAfterHeaders;
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== "0");
}

export function createBodyDeadlines(ms: number): BodyDeadlines {
  const timers = new WeakMap<object, NodeJS.Timeout>();
  const lift = (request: object) => clearTimeout(timers.get(request));
  return {
    lift,
    watch(request, response) {
      if (!hasBody(request)) return;
      const late = () => {
        // On HTTP/2 it is one stream of many.
        if (isHttp2(request)) request.stream.close(constants.NGHTTP2_CANCEL);
        // An answer that is under way cannot become another one.
        else if (response.headersSent) request.socket.destroy();
        else
          refuseConnection(
            new Problem("request_timeout", "The request did not come within its time."),
            request.socket,
          );
      };
      timers.set(request, setTimeout(late, ms).unref());
      request.once("end", () => lift(request));
      request.once("close", () => lift(request));
    },
  };
}
