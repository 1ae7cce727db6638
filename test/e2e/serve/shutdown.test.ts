/** A server that is told to stop while clients of every kind hold on to it. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { dial } from "../../pg/api/wire.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { startServer, type TestServer } from "../../support/server.ts";

let world: World;
let server: TestServer;
beforeEach(async () => {
  world = await World.prepared();
  server = await startServer(world);
});
afterEach(() => world[Symbol.asyncDispose]());

const head = "Host: a\r\n";

it("ends with 0 beside idle, silent and half-sent connections, within its ten seconds", async () => {
  using idle = dial(server, `GET /healthz HTTP/1.1\r\n${head}\r\n`);
  await idle.said(/alive/);
  using silent = dial(server);
  using halfHead = dial(server, "GET /healthz HT");
  using halfBody = dial(
    server,
    `POST /v1/projects HTTP/1.1\r\n${head}Authorization: Bearer ${server.token}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{`,
  );
  await server.fetch("/healthz");
  expect(await server.stop()).toBe(0);
  for (const { closed } of [idle, silent, halfHead, halfBody]) await closed;
});

it("answers the request that is under way, and tells its client to come no more on that connection", async () => {
  using slow = dial(
    server,
    `POST /v1/projects HTTP/1.1\r\n${head}Authorization: Bearer ${server.token}\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n`,
  );
  await slow.said(/100 Continue/);
  const stopped = server.stop();
  await server.process.said(/stopping/);
  slow.socket.write('{"name":"a"}');
  const answer = await slow.closed;
  expect(answer).toMatch(/HTTP\/1\.1 201 /);
  expect(answer.toLowerCase()).toContain("connection: close");
  expect(await stopped).toBe(0);
});

it("does not wait for requests of which only the half of a line has come", async () => {
  using halfHead = dial(server, "GET /healthz HT");
  using halfLines = dial(server, `GET /healthz HTTP/1.1\r\n${head}X-More: `);
  using kept = dial(server, `GET /healthz HTTP/1.1\r\n${head}\r\nGET /hea`);
  await kept.said(/alive/);
  using slow = dial(
    server,
    `POST /v1/projects HTTP/1.1\r\n${head}Authorization: Bearer ${server.token}\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n`,
  );
  await slow.said(/100 Continue/);
  const stopped = server.stop();
  for (const { closed } of [halfHead, halfLines, kept]) await closed;
  // The end of the patience would have ended this one with the others.
  slow.socket.write('{"name":"a"}');
  expect(await slow.closed).toMatch(/HTTP\/1\.1 201 /);
  expect(await stopped).toBe(0);
});

it("ends at once when it is told a second time, whoever holds on", async () => {
  using slow = dial(
    server,
    `POST /v1/projects HTTP/1.1\r\n${head}Authorization: Bearer ${server.token}\r\nContent-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n`,
  );
  await slow.said(/100 Continue/);
  const { child } = server.process;
  child.kill("SIGTERM");
  await server.process.said(/stopping/);
  // What comes within a fifth of a second is the same press.
  await eventually(
    () => {
      child.kill("SIGTERM");
      return child.exitCode !== null;
    },
    { everyMs: 250 },
  );
  expect((await server.process.ended).code).toBe(130);
  await slow.closed;
  // Its database is left to whoever comes next, as after a kill.
  expect((await world.shipinator(["list"])).code).toBe(0);
});
