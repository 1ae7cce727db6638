/** Refusals before there is a request: bytes that are no HTTP, headers that are too large or do not come. */
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { errorCode, newId, Problem, problems, type RunId } from "../../kernel/index.ts";

/** Answers on the bare connection, as a problem like all others, and closes it. */
export function refuseConnection(error: unknown, socket: Duplex): void {
  if (errorCode(error) === "ECONNRESET" || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { code, status, message } = refusalOf(error);
  const body = JSON.stringify({
    type: `urn:shipinator:problem:${code}`,
    title: problems[code][2],
    status,
    detail: message,
    code,
    instance: "",
    request_id: newId<RunId>(),
  });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/problem+json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  // The peer may be gone already: then the write fails, and an error that nobody listens for ends the process.
  socket.on("error", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
  socket.once("finish", () => socket.destroy());
}

function refusalOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  switch (errorCode(error)) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new Problem("request_timeout", "The request did not come within its time.");
    case "HPE_HEADER_OVERFLOW":
      return new Problem("headers_too_large", "The header lines, the address among them, are over 16 KiB.");
    default:
      return new Problem("usage", "This is no HTTP/1.1 request that the server understands.");
  }
}
