/** Bodies that come slowly, over both protocols: what keeps coming is waited for, what does not is let go. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Server } from "node:net";
import { describe, expect, it } from "vitest";
import { createBodyDeadlines } from "../../../src/api/http/body-deadlines.ts";
import { paced } from "../../../src/api/rest/paced.ts";

/** A body of so many pieces, one every so many milliseconds. */
async function* body(pieces: number, everyMs: number, bytes = 10): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < pieces; sent += 1) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    yield new Uint8Array(bytes);
  }
}

async function sizeOf(source: AsyncIterable<Uint8Array>, eachTakesMs = 0): Promise<number> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (eachTakesMs > 0) await new Promise((resolve) => setTimeout(resolve, eachTakesMs));
  }
  return size;
}

describe("an upload", () => {
  const pace = { patienceMs: 120, minBytes: 20 };

  it("may take many times its patience, as long as it keeps coming", async () => {
    expect(await sizeOf(paced(body(20, 30), pace))).toBe(200);
  });

  it("is let go when it brings too little, or nothing", async () => {
    await expect(sizeOf(paced(body(100, 30, 1), pace))).rejects.toMatchObject({ code: "request_timeout" });
    await expect(sizeOf(paced(body(1, 60_000), pace))).rejects.toMatchObject({ code: "request_timeout" });
  });

  it("is not blamed for the time that we take", async () => {
    expect(await sizeOf(paced(body(4, 1, 5), pace), 100)).toBe(20);
  });
});

describe("any other request", () => {
  const limitMs = 250;

  /** Answers when the whole body is there; uploads may take their time. */
  function listenerOf(): RequestListener {
    const deadlines = createBodyDeadlines(limitMs);
    return (request, response) => {
      deadlines.watch(request, response);
      if (request.url === "/upload") deadlines.lift(request);
      request.on("error", () => undefined);
      request.resume().on("end", () => response.end("whole"));
    };
  }

  async function listening<T extends Server>(server: T): Promise<number> {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  it.each([
    ["/", 4, "408"],
    ["/upload", 4, "200"],
    ["/", 1, "200"],
  ])("to %s that comes in %i pieces over HTTP/1.1: %s", async (path, pieces, status) => {
    const server = createServer(listenerOf());
    const socket = connect(await listening(server), "127.0.0.1");
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${pieces}\r\nconnection: close\r\n\r\n`,
    );
    void (async () => {
      for await (const _ of body(pieces, 120)) if (!socket.destroyed) socket.write("x");
    })();
    let answer = "";
    socket.on("error", () => undefined).on("data", (chunk) => (answer += chunk));
    await once(socket, "close");
    expect(answer.split(" ")[1]).toBe(status);
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ["/", 4, null],
    ["/upload", 4, 200],
    ["/", 1, 200],
  ])("to %s that comes in %i pieces over HTTP/2: %s", async (path, pieces, status) => {
    const server = createHttp2Server();
    const listener = listenerOf();
    server.on("request", (request, response) =>
      listener(request as unknown as IncomingMessage, response as never),
    );
    const session = connectHttp2(`http://127.0.0.1:${await listening(server)}`);
    const stream = session.request({ ":method": "POST", ":path": path });
    let found: unknown = null;
    stream.on("response", (headers) => (found = headers[":status"]));
    stream.on("error", () => undefined).resume();
    void (async () => {
      for await (const _ of body(pieces, 120)) if (!stream.destroyed) stream.write("x");
      if (!stream.destroyed) stream.end();
    })();
    await once(stream, "close");
    expect(found).toBe(status);
    // One slow stream is not the end of the others' connection.
    expect(session.closed).toBe(false);
    session.close();
    await new Promise((resolve) => server.close(resolve));
  });
});
