/**
 * HTTP/1.1 and HTTP/2 on one port. The server is Node's for HTTP/1.1, with all its protections; a connection that begins
 * with HTTP/2's preface, or has agreed on it by TLS, is peeled off before that server sees it. Until its first bytes have
 * come a connection is nobody's, and has its time for that.
 */

import type { RequestListener, Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Problem } from "../../kernel/index.ts";
import { refuseConnection } from "./refusals.ts";

export interface ProtocolLimits {
  /** Milliseconds in which the first bytes must come. */
  readonly firstByteMs: number;
  /** Milliseconds without a stream after which an HTTP/2 connection is closed. */
  readonly idleMs: number;
  readonly maxHeaderBytes: number;
}

export interface Protocols {
  readonly http2: Http2Server;
  /** Tells every HTTP/2 connection to go elsewhere: what is under way may end, and closes it. */
  drain(): void;
  /** Closes what is left of HTTP/2, and connections that have said nothing. */
  closeAll(): void;
  /** Closes the connections among these that have no stream. */
  closeQuiet(): void;
}

/** No method of HTTP/1.1 is `PRI`. */
const distinctive = 3;
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** @param server not listening yet */
export function servePeeledHttp2(
  server: Server,
  handler: RequestListener,
  limits: ProtocolLimits,
): Protocols {
  const sessions = new Set<ServerHttp2Session>();
  const silent = new Set<Socket>();
  let draining = false;
  const http2 = createHttp2Server({
    maxSessionMemory: 16,
    maxHeaderListPairs: 128,
    unknownProtocolTimeout: limits.firstByteMs,
    settings: { maxConcurrentStreams: 128, maxHeaderListSize: limits.maxHeaderBytes, enablePush: false },
  });
  // Fastify's handler takes the compatible objects of HTTP/2 as well.
  http2.on("request", (request, response) => handler(request as never, response as never));
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    let streams = 0;
    session.on("stream", (stream) => {
      streams += 1;
      stream.once("close", () => {
        streams -= 1;
      });
    });
    // Nothing but the half of a request may have come: nobody waits for that.
    session.setTimeout(limits.idleMs, () => {
      if (streams > 0) return;
      session.goaway();
      session.destroy();
    });
    session.on("error", () => undefined);
    if (draining) session.close();
  });
  http2.on("sessionError", () => undefined);

  const accepted = server instanceof TlsServer ? "secureConnection" : "connection";
  const listeners = server.listeners(accepted) as ((socket: Socket) => void)[];
  server.removeAllListeners(accepted);
  const toHttp1 = (socket: Socket) => {
    for (const listener of listeners) listener.call(server, socket);
  };
  const toHttp2 = (socket: Socket) => http2.emit("connection", socket);

  server.on(accepted, (socket: Socket) => {
    const agreed = (socket as Partial<TLSSocket>).alpnProtocol;
    if (agreed === "h2") toHttp2(socket);
    else if (agreed === "http/1.1") toHttp1(socket);
    else peek(socket);
  });

  function peek(socket: Socket): void {
    silent.add(socket);
    const timer = setTimeout(() => {
      refuseConnection(new Problem("request_timeout", "The request did not come within its time."), socket);
      done();
    }, limits.firstByteMs).unref();
    const done = () => {
      clearTimeout(timer);
      silent.delete(socket);
      socket.off("readable", look);
      socket.off("end", leave);
      socket.off("close", done);
      socket.off("error", leave);
    };
    const leave = () => socket.destroy();
    let held = Buffer.alloc(0);
    const look = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      held = Buffer.concat([held, chunk]);
      const known = Math.min(held.length, preface.length);
      const mayBeHttp2 = held.subarray(0, known).equals(preface.subarray(0, known));
      // Methods of HTTP/1.1 begin with these letters, too, so the first of them are waited for.
      if (mayBeHttp2 && known < distinctive) return;
      done();
      // Given back when it is decided, not before: it would be heard of as something new.
      socket.unshift(held);
      if (mayBeHttp2) toHttp2(socket);
      else toHttp1(socket);
    };
    socket.on("readable", look);
    socket.once("end", leave);
    socket.once("close", done);
    socket.on("error", leave);
  }

  return {
    http2,
    drain() {
      draining = true;
      for (const session of sessions) session.close();
    },
    closeQuiet() {
      for (const socket of silent) socket.destroy();
    },
    closeAll() {
      for (const session of sessions) session.destroy();
      for (const socket of silent) socket.destroy();
    },
  };
}
