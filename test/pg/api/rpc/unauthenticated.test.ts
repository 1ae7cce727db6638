/** Calls without a valid token: answered from their headers, whatever their body is. */
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { gzipSync } from "node:zlib";
import { Code, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  ArtifactService,
  ExecutorService,
  PipelineService,
  ProjectService,
} from "../../../../src/api/rpc/generated/shipinator.ts";
import { type Service, startService } from "../service.ts";
import { bearer, errorOf, gRPC, protocols } from "./rpc.ts";

let service: Service;
let admin: string;
beforeAll(async () => {
  service = await startService();
  admin = (await service.bench.local.tokens.create({ name: "admin", scope: "admin" })).token;
});
afterAll(() => service[Symbol.asyncDispose]());

const wrong = { authorization: `Bearer shp_${"A".repeat(43)}` };
const methods = [PipelineService, ProjectService, ArtifactService, ExecutorService].flatMap((one) =>
  one.methods.map(({ name }) => `/${one.typeName}/${name}`),
);

/** A message of gRPC. */
function frame(body: Buffer, compressed: 0 | 1): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

const bomb = frame(gzipSync(Buffer.alloc(8_000_000)), 1);

interface Sent {
  readonly body: Buffer;
  readonly ends?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly of?: Service;
}

/** The status of gRPC that a call is answered with. */
async function call(path: string, { body, ends = true, headers = {}, of = service }: Sent): Promise<Code> {
  const session = connectHttp2(of.api.url);
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: path,
    "content-type": "application/grpc",
    "grpc-encoding": "gzip",
    te: "trailers",
    ...headers,
  });
  const answered = new Promise<Code>((resolve) => {
    const look = (found: Readonly<Record<string, unknown>>) => {
      if (found["grpc-status"] !== undefined) resolve(Number(found["grpc-status"]));
    };
    stream.on("response", look);
    stream.on("trailers", look);
  });
  stream.on("error", () => undefined);
  stream.resume();
  if (ends) stream.end(body);
  else stream.write(body);
  const code = await answered;
  session.destroy();
  await once(session, "close");
  return code;
}

it.each(methods)("%s is refused before its body has come, is decompressed or parsed", async (path) => {
  for (const headers of [{}, wrong])
    for (const sent of [
      { body: bomb },
      { body: Buffer.from([0xff]) },
      { body: Buffer.from([0, 0, 0x7f, 0, 0, 1]), ends: false },
      { body: frame(Buffer.from([0xff, 0xff]), 0) },
    ])
      expect(await call(path, { ...sent, headers })).toBe(Code.Unauthenticated);
});

it.each(["PipelineService/GetRun", "ArtifactService/UploadArtifact", "ExecutorService/AppendLog"])(
  "%s without a token counts as a failed login",
  async (method) => {
    await using strict = await startService({ logins: { atOnce: 2, perSecond: 0.001 } });
    const path = `/shipinator.v1.${method}`;
    const codes: Code[] = [];
    for (let i = 0; i < 4; i += 1) codes.push(await call(path, { body: bomb, of: strict }));
    expect(codes).toEqual([
      Code.Unauthenticated,
      Code.Unauthenticated,
      Code.ResourceExhausted,
      Code.ResourceExhausted,
    ]);
  },
);

it.each(Object.entries(protocols))(
  "an upload over %s is told so before it has sent everything",
  async (_name, make) => {
    const asked = createClient(ExecutorService, make(service.api.url)).appendLog(
      { executionId: "x", executorId: "x", data: new Uint8Array(7_000_000) },
      { headers: wrong },
    );
    expect((await errorOf(asked)).code).toBe(Code.Unauthenticated);
    expect((await service.ask("GET", "/healthz")).status).toBe(200);
  },
);

it("a request with a token has at most 64 KiB, decompressed", async () => {
  const client = createClient(PipelineService, gRPC(service.api.url));
  const error = await errorOf(client.getRun({ run: "a".repeat(65_536) }, bearer(admin)));
  expect(error.code).toBe(Code.ResourceExhausted);
  const headers = bearer(admin).headers;
  expect(await call("/shipinator.v1.PipelineService/GetRun", { body: bomb, headers })).toBe(
    Code.ResourceExhausted,
  );
  expect((await errorOf(client.getRun({ run: "a".repeat(1_000) }, bearer(admin)))).code).toBe(Code.NotFound);
});

it("health and reflection need no token, and take small messages alone", async () => {
  expect(await call("/grpc.health.v1.Health/Check", { body: frame(Buffer.alloc(0), 0) })).toBe(0);
  expect(await call("/grpc.health.v1.Health/Check", { body: bomb })).toBe(Code.ResourceExhausted);
  expect(await call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", { body: bomb })).toBe(
    Code.ResourceExhausted,
  );
});
