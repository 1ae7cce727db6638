/** Connections that send nothing. Anybody may open one, without a token. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { refuseConnection } from "../../../src/api/http/refusals.ts";
import { Problem } from "../../../src/kernel/index.ts";
import { startService } from "./service.ts";

it("one that its peer ends is closed at once", async () => {
  await using service = await startService();
  const socket = connect(Number(new URL(service.api.url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.end();
  await once(socket.resume(), "close");
  expect((await service.ask("GET", "/healthz", { token: null })).status).toBe(200);
});

it("a refusal that cannot be written any more ends the connection and nothing else", async () => {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const peer = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  // An end and then a reset leave a socket that looks writable, and whose first write fails.
  peer.end();
  await once(peer, "finish");
  peer.resetAndDestroy();
  await once(peer, "close");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  refuseConnection(new Problem("request_timeout", "The request did not come within its time."), socket);
  await closed;
  server.close();
});
