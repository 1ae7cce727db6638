import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { createRemoteClient } from "../../../src/cli/remote/remote-client.ts";
import { createTransport } from "../../../src/cli/remote/transport.ts";
import { type Clock, systemClock } from "../../../src/kernel/index.ts";
import type { Client } from "../../../src/services/index.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let servers: Server[] = [];
let pauses = 0;

afterEach(async () => {
  for (const server of servers.filter(({ listening }) => listening)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
  servers = [];
});

/** Time goes by where it is slept through, and nowhere else. */
function hurriedClock(): Clock {
  let now = 0;
  pauses = 0;
  return {
    ...systemClock,
    monotonic: () => now,
    async sleep(ms) {
      now += ms;
      pauses += 1;
    },
  };
}

interface Asked {
  readonly client: Client;
  /** Host and port of its server. */
  readonly host: string;
  readonly server: Server;
  readonly asked: readonly IncomingMessage[];
}

/** A client of a server that gives these answers one after the other, the last one for good. */
async function clientOf(...answers: readonly Answer[]): Promise<Asked> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answers[Math.min(asked.length, answers.length) - 1]?.(request, response);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen on a port");
  const host = `127.0.0.1:${address.port}`;
  return { client: clientAt(`http://${host}`), host, server, asked };
}

function clientAt(server: string): Client {
  const clock = hurriedClock();
  return createRemoteClient(createTransport({ server, token: "t", clock }), clock);
}

const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_request, response) =>
    void response
      .writeHead(status, { "content-type": "application/json", ...headers })
      .end(JSON.stringify(body));

/** The server is still at the first request with the key. */
const underWay = json(409, {
  code: "conflict",
  detail: "under way",
  status: 409,
  details: { retry_after: 1 },
});

/** Promises more than it gives. */
const broken =
  (part: string): Answer =>
  (_request, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write(part, () => response.destroy());
  };

const never = new AbortController().signal;

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

describe("a question", () => {
  it("is asked again where its answer broke in the middle", async () => {
    const { client, asked } = await clientOf(broken('{"items": ['), json(200, { items: [], next: null }));
    expect(await client.projects.list({ limit: 1 })).toEqual({ items: [], next: null });
    expect(asked.map(({ url }) => url)).toEqual(["/v1/projects?limit=1", "/v1/projects?limit=1"]);
    expect(asked[0]?.headers.authorization).toBe("Bearer t");
  });

  it("is asked again, under the same key, where it changes something and the server was stopping", async () => {
    const stopping = { code: "unavailable", detail: "stopping", status: 503 };
    const { client, asked } = await clientOf(json(503, stopping), json(200, { id: "r" }));
    expect(await client.retry({ run: "latest", by: "ann" })).toEqual({ run: { id: "r" }, notes: [] });
    const keys = asked.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), keys[0]]);
  });

  it("is asked again under the same key where its connection was lost, until its first request is answered", async () => {
    const { client, asked } = await clientOf(
      (request) => request.socket.destroy(),
      underWay,
      json(200, { id: "r" }),
    );
    expect(await client.retry({ run: "latest", by: "ann" })).toEqual({ run: { id: "r" }, notes: [] });
    const keys = asked.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toEqual([keys[0], keys[0], keys[0]]);
  });

  it("says that its outcome is unknown where its connection was lost and no answer came in a minute", async () => {
    const { client } = await clientOf((request) => request.socket.destroy());
    await expect(client.retry({ run: "latest", by: "ann" })).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining("unknown whether the request was carried out"),
    });
    expect(pauses).toBe(240);
  });

  it("is not asked again on a conflict that waiting does not end", async () => {
    const { client, asked } = await clientOf(
      json(409, { code: "conflict", detail: "it is over", status: 409 }),
    );
    await expect(client.retry({ run: "latest", by: "ann" })).rejects.toMatchObject({ message: "it is over" });
    expect(asked.length).toBe(1);
  });

  it("gives up where nobody listens, after ten seconds", async () => {
    const { client, host, server } = await clientOf();
    server.close();
    await once(server, "close");
    await expect(client.why("1")).rejects.toMatchObject({
      code: "environment",
      message: `The server http://${host} cannot be reached: connect ECONNREFUSED ${host}`,
    });
    expect(pauses).toBe(40);
  });

  it("is not asked again where no restart would help", async () => {
    const { host } = await clientOf();
    await expect(clientAt(`https://${host}`).why("1")).rejects.toMatchObject({ code: "environment" });
    expect(pauses).toBe(0);
  });

  it("goes nowhere else than to the server, and says who answered", async () => {
    const { client, asked } = await clientOf(json(302, {}, { location: "/elsewhere" }));
    await expect(client.why("1")).rejects.toMatchObject({
      message: expect.stringContaining("answered 302, and not as a Shipinator server does"),
    });
    expect(asked.length).toBe(1);
  });

  it("ends with the reason of its abort, before and while it is answered", async () => {
    const gone = new Error("gone");
    const { client } = await clientOf((_request, response) => {
      response.writeHead(200);
      response.write("begun");
    });
    await expect(collect(client.download("a", AbortSignal.abort(gone)))).rejects.toBe(gone);
    const controller = new AbortController();
    const chunks = client.download("a", controller.signal)[Symbol.asyncIterator]();
    expect(await chunks.next()).toMatchObject({ done: false });
    controller.abort(gone);
    await expect(chunks.next()).rejects.toBe(gone);
  });
});

describe("a download", () => {
  it("goes on where its connection broke", async () => {
    const { client, asked } = await clientOf(broken("abc"), broken("def"), (_request, response) => {
      response.writeHead(206).end("ghi");
    });
    expect(await collect(client.download("a", never))).toBe("abcdefghi");
    expect(asked.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=3-", "bytes=6-"]);
  });

  it("gives up where it breaks five times", async () => {
    const { client, asked } = await clientOf(broken("a"));
    await expect(collect(client.download("a", never))).rejects.toThrow("broke in the middle");
    expect(asked.length).toBe(5);
  });
});

describe("what is followed", () => {
  it("goes on after the last event that came", async () => {
    const event = (id: number) => `id: ${id}\nevent: transition\ndata: {"seq":${id}}\n\n`;
    const { client, asked } = await clientOf(broken(event(1)), (_request, response) => {
      response.writeHead(200).end(`${event(2)}event: end\ndata: {}\n\n`);
    });
    const seen: unknown[] = [];
    for await (const one of client.events("r", 0, never)) seen.push(one);
    expect(seen).toEqual([{ seq: 1 }, { seq: 2 }]);
    expect(asked.map(({ headers }) => headers["last-event-id"])).toEqual(["0", "1"]);
  });
});
