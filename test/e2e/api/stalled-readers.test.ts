/** Readers of streams that do not read: each is let go in time, and holds up nobody. The clock runs a hundred times as fast. */
import { once } from "node:events";
import { get } from "node:http";
import { type AddressInfo, connect } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { EventStream, Streams } from "../../../src/api/rest/context.ts";
import { createEventStreams } from "../../../src/api/rest/event-streams.ts";
import { type Clock, systemClock } from "../../../src/kernel/index.ts";
import { eventually } from "../../support/eventually.ts";

const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };
let app: FastifyInstance;
let streams: Streams;
let stopping: AbortController;
let opened: EventStream[];

beforeEach(async () => {
  opened = [];
  stopping = new AbortController();
  streams = createEventStreams(clock, stopping.signal, { perCaller: 3, inAll: 4 });
  app = Fastify();
  app.decorateRequest("callerKey", "");
  app.get("/:caller", async (request, reply) => {
    request.callerKey = (request.params as { caller: string }).caller;
    const stream = streams.open(request, reply);
    opened.push(stream);
    const data = "x".repeat(100_000);
    while (!stream.signal.aborted) {
      await stream.send({ data });
      await systemClock.sleep(1, stream.signal);
    }
    return reply;
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
});
afterEach(async () => {
  stopping.abort();
  app.server.closeAllConnections();
  await app.close();
});

const port = () => (app.server.address() as AddressInfo).port;

function stalled(caller: string) {
  const socket = connect(port(), "127.0.0.1");
  socket.on("error", () => undefined).pause();
  socket.write(`GET /${caller} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return socket;
}

it("are let go after half a minute, and give their place back", async () => {
  const reader = get(`http://127.0.0.1:${port()}/reads`);
  const [response] = await once(reader, "response");
  let bytes = 0;
  response.on("data", (chunk: Buffer) => (bytes += chunk.length));
  response.on("error", () => undefined);
  const silent = stalled("stalled");
  await eventually(() => opened.length >= 2);
  const [live, dead] = opened;
  const since = performance.now();
  await eventually(() => dead?.signal.aborted === true);
  // Half a minute is 300 ms here; before it the socket's buffers had to be filled.
  expect(performance.now() - since).toBeGreaterThan(250);
  const seen = bytes;
  await eventually(() => bytes >= seen + 1_000_000);
  expect([live?.signal.aborted, streams.count]).toEqual([false, 1]);
  silent.destroy();
  reader.destroy();
});

it("are so many of one caller and no more, and others have room", async () => {
  const sockets = [stalled("a"), stalled("a"), stalled("a")];
  await eventually(() => opened.length >= 3);
  const refused = await fetch(`http://127.0.0.1:${port()}/a`);
  expect([refused.status, await refused.json()]).toMatchObject([
    429,
    { message: expect.stringContaining("Too many streams of this token") },
  ]);
  sockets.push(stalled("b"));
  await eventually(() => opened.length >= 4);
  expect((await fetch(`http://127.0.0.1:${port()}/c`)).ok).toBe(false);
  for (const socket of sockets) socket.destroy();
  await eventually(() => streams.count === 0);
  const again = get(`http://127.0.0.1:${port()}/a`);
  const [response] = await once(again, "response");
  expect(response.statusCode).toBe(200);
  response.on("error", () => undefined);
  again.destroy();
});
