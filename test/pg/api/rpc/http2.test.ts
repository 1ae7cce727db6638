/** One port for HTTP/1.1 and HTTP/2, and what is no proper use of it. */
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  GetRunRequestSchema,
  GetRunResponseSchema,
  WatchRunRequestSchema,
  WatchRunResponseSchema,
} from "../../../../src/api/rpc/generated/shipinator.ts";
import type { Team } from "../../operations-bench.ts";
import { type Service, startService } from "../service.ts";

let service: Service;
let team: Team;
let token: string;
beforeAll(async () => {
  service = await startService();
  team = await service.bench.team("ours");
  token = (await service.bench.local.tokens.create({ name: "admin", scope: "admin" })).token;
});
afterAll(() => service[Symbol.asyncDispose]());

const address = (of = service) => new URL(of.api.url);
const dial = (of = service) => connect(Number(address(of).port), "127.0.0.1");
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const settings = "\0\0\0\u0004\0\0\0\0\0";
const get = "GET /v1/version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const pem = (name: string) => fileURLToPath(new URL(`../../../support/tls/${name}`, import.meta.url));

async function until(socket: Socket, enough: (all: Buffer) => boolean): Promise<Buffer> {
  let all = Buffer.alloc(0);
  socket.on("error", () => undefined);
  return await new Promise((resolve) => {
    socket.on("data", (chunk) => {
      all = Buffer.concat([all, chunk]);
      if (enough(all)) resolve(all);
    });
    socket.on("close", () => resolve(all));
  });
}

/** Sends it letter by letter. */
async function drip(socket: Socket, text: string): Promise<void> {
  await once(socket, "connect");
  socket.setNoDelay(true);
  for (const letter of text) {
    socket.write(letter, "latin1");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Frame type of the first frame that comes. */
const firstFrame = (bytes: Buffer) => bytes[3];

describe("the first bytes", () => {
  it("make it HTTP/2 by its preface, at once or letter by letter", async () => {
    for (const send of [
      async (socket: Socket) => void socket.write(preface + settings, "latin1"),
      async (socket: Socket) => await drip(socket, preface + settings),
    ]) {
      const socket = dial();
      const answer = until(socket, (all) => all.length >= 9);
      await send(socket);
      expect(firstFrame(await answer)).toBe(4);
      socket.destroy();
    }
  });

  it.each([get, `P${get.slice(0)}`.replace("PGET", "PUT"), `PRX / HTTP/1.1\r\nhost: x\r\n\r\n`])(
    "make it HTTP/1.1 when they are anything else: %j",
    async (text) => {
      for (const slowly of [true, false]) {
        const socket = dial();
        const answer = until(socket, (all) => all.includes("\r\n\r\n"));
        if (slowly) await drip(socket, text);
        else socket.write(text);
        expect((await answer).toString()).toMatch(/^HTTP\/1\.1 (200|400|404|405) /);
        socket.destroy();
      }
    },
  );

  it("that are no preface after PRI are no HTTP/2 either", async () => {
    const socket = dial();
    const answer = until(socket, () => false);
    socket.write(`PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n${settings}`, "latin1");
    await answer;
    expect(socket.destroyed).toBe(true);
    expect((await service.ask("GET", "/healthz")).status).toBe(200);
  });
});

describe("HTTP/2", () => {
  it("serves REST as well, and answers as HTTP/1.1 does", async () => {
    const session = connectHttp2(service.api.url);
    const stream = session.request({
      [constants.HTTP2_HEADER_PATH]: `/v1/pipeline-runs/${team.run}`,
      authorization: `Bearer ${token}`,
    });
    const [headers] = await once(stream, "response");
    let text = "";
    for await (const chunk of stream.setEncoding("utf8")) text += chunk;
    expect(headers[constants.HTTP2_HEADER_STATUS]).toBe(200);
    expect(JSON.parse(text)).toEqual((await service.ask("GET", `/v1/pipeline-runs/${team.run}`)).json);
    session.close();
  });

  it("has no more streams of one connection than it says, and no headers without end", async () => {
    const session = connectHttp2(service.api.url);
    await once(session, "remoteSettings");
    expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 128, maxHeaderListSize: 16_384 });
    const large = session.request({
      [constants.HTTP2_HEADER_PATH]: "/v1/version",
      "x-large": "a".repeat(60_000),
    });
    large.on("error", () => undefined);
    const [answer] = await Promise.race([
      once(large, "response").then(
        ([headers]) => [headers[constants.HTTP2_HEADER_STATUS]],
        () => ["refused"],
      ),
      once(large, "close").then(
        () => ["closed"],
        () => ["refused"],
      ),
    ]);
    expect(answer).not.toBe(200);
    session.destroy();
    expect((await service.ask("GET", "/healthz")).status).toBe(200);
  });

  it("answers a message that is not as long as it says with an error of gRPC", async () => {
    for (const frame of [
      Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]),
      Buffer.from([0, 0, 0, 0, 9, 1]),
      Buffer.from([9, 0, 0, 0, 1, 1]),
      Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]),
      Buffer.from([0, 0]),
    ]) {
      const session = connectHttp2(service.api.url);
      const stream = session.request({
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: "/shipinator.v1.PipelineService/GetRun",
        "content-type": "application/grpc",
        te: "trailers",
        authorization: `Bearer ${token}`,
      });
      let trailers: Record<string, unknown> = {};
      stream.on("response", (headers) => (trailers = { ...trailers, ...headers }));
      stream.on("trailers", (found) => (trailers = { ...trailers, ...found }));
      stream.on("error", () => undefined);
      stream.end(frame);
      stream.resume();
      await once(stream, "close");
      expect([frame, Number(trailers["grpc-status"])]).toEqual([frame, expect.any(Number)]);
      expect(["0", undefined]).not.toContain(trailers["grpc-status"]);
      session.destroy();
    }
    expect((await service.ask("GET", "/healthz")).status).toBe(200);
  });

  it("is agreed on by TLS, beside HTTP/1.1", async () => {
    await using secure = await startService({
      tls: { certificate: pem("first.pem"), key: pem("first.key.pem") },
    });
    const port = Number(address(secure).port);
    for (const [offered, chosen] of [
      [["h2", "http/1.1"], "h2"],
      [["http/1.1"], "http/1.1"],
      [[], false],
    ] as const) {
      const socket = connectTls({
        port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ...(offered.length === 0 ? {} : { ALPNProtocols: [...offered] }),
      });
      await once(socket, "secureConnect");
      expect(socket.alpnProtocol).toBe(chosen);
      const answer = until(socket, (all) => all.length > 8);
      socket.write(chosen === "h2" ? preface + settings : get, "latin1");
      const bytes = await answer;
      if (chosen === "h2") expect(firstFrame(bytes)).toBe(4);
      else expect(bytes.toString()).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    }
  });
});

describe("a stop", () => {
  it("tells streams to come again, and closes HTTP/2 connections with them", async () => {
    const stopping = await startService();
    const { run } = await stopping.bench.team("ours");
    const made = await stopping.bench.local.tokens.create({ name: "a", scope: "admin" });
    const { pipeline_id } = await stopping.bench.local.get(run);
    const { run: open } = await stopping.bench.local.trigger(
      {
        source: { kind: "pipeline", pipeline: pipeline_id, ref: null, sha: null, validate: "later" },
        only: null,
        by: "",
      },
      new AbortController().signal,
    );
    const client = new Client(address(stopping).host, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${made.token}`);
    const watching = client.makeServerStreamRequest(
      "/shipinator.v1.PipelineService/WatchRun",
      (request: Uint8Array) => Buffer.from(request),
      (bytes: Buffer) => fromBinary(WatchRunResponseSchema, bytes),
      toBinary(WatchRunRequestSchema, create(WatchRunRequestSchema, { run: open.id })),
      metadata,
    );
    const ended = new Promise<{ readonly code: number }>((resolve) => watching.on("status", resolve));
    watching.on("error", () => undefined);
    watching.on("data", () => undefined);
    await once(watching, "data");
    const silent = dial(stopping);
    silent.on("error", () => undefined);
    await once(silent, "connect");
    await stopping.api.stop();
    expect((await ended).code).toBe(status.UNAVAILABLE);
    client.close();
    silent.destroy();
    await stopping[Symbol.asyncDispose]();
  });
});

it("serves clients that are none of ours", async () => {
  const client = new Client(address().host, credentials.createInsecure());
  const ask = (run: string, held: string | null) =>
    new Promise<unknown>((resolve) => {
      const metadata = new Metadata();
      if (held !== null) metadata.set("authorization", `Bearer ${held}`);
      client.makeUnaryRequest(
        "/shipinator.v1.PipelineService/GetRun",
        (request: Uint8Array) => Buffer.from(request),
        (bytes: Buffer) => fromBinary(GetRunResponseSchema, bytes),
        toBinary(GetRunRequestSchema, create(GetRunRequestSchema, { run })),
        metadata,
        { deadline: Date.now() + 5_000 },
        (error, answer) => resolve(error === null ? answer?.run?.id : error.code),
      );
    });
  expect(await ask(team.run, token)).toBe(team.run);
  expect(await ask("nothing", token)).toBe(status.NOT_FOUND);
  expect(await ask(team.run, null)).toBe(status.UNAUTHENTICATED);
  client.close();
});

it("has no method that is none", async () => {
  for (const path of [
    "/shipinator.v1.PipelineService/Nothing",
    "/shipinator.v1.Nothing/GetRun",
    "/grpc.x/y",
  ]) {
    const answer = await service.ask("POST", path, { body: {} });
    expect([path, answer.status, answer.json.code]).toEqual([path, 404, "not_found"]);
  }
});
