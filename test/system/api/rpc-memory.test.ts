/** Requests without a token that would unpack to gigabytes: what they cost a real server is measured. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { startServer } from "../../support/server.ts";

const connections = 4;
const callsOfEach = 100;
const mebibyte = 1_048_576;
/** What the attack may add. Unpacked, its messages have 3 GiB. */
const maxAddedBytes = 96 * mebibyte;

const packed = gzipSync(Buffer.alloc(8 * mebibyte));
const head = Buffer.from([1, 0, 0, 0, 0]);
head.writeUInt32BE(packed.length, 1);
const message = Buffer.concat([head, packed]);

/** The highest resident memory since `forgetPeak`. */
const peakOf = (pid: number) =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
const forgetPeak = (pid: number) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

async function call(session: ClientHttp2Session, path: string): Promise<string | undefined> {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    "grpc-encoding": "gzip",
    te: "trailers",
  });
  let status: string | undefined;
  const look = (headers: Readonly<Record<string, unknown>>) => {
    status ??= headers["grpc-status"] === undefined ? undefined : String(headers["grpc-status"]);
  };
  stream.on("response", look).on("trailers", look);
  stream.on("error", () => undefined);
  stream.resume();
  stream.end(message);
  await once(stream, "close");
  return status;
}

it("gRPC without a token costs the server no memory", async (context) => {
  context.skip(process.getuid?.() !== 0, "only root can forget a process's peak");
  await using world = await World.prepared();
  const server = await startServer(world);
  const { pid }: { pid: number } = JSON.parse(readFileSync(join(world.dataDir, "server.json"), "utf8"));
  const attack = async (path: string) => {
    const sessions = Array.from({ length: connections }, () => connect(server.url));
    const calls = sessions.flatMap((session) =>
      Array.from({ length: callsOfEach }, () => call(session, path)),
    );
    const statuses = new Set(await Promise.all(calls));
    for (const session of sessions) session.destroy();
    return [...statuses].toSorted();
  };
  // Loads what the first call loads.
  const session = connect(server.url);
  await call(session, "/shipinator.v1.PipelineService/GetRun");
  session.destroy();
  for (const [path, statuses] of [
    // Unauthenticated, and after so many of them: too many requests.
    ["/shipinator.v1.PipelineService/GetRun", ["16", "8"]],
    ["/shipinator.v1.ExecutorService/AppendLog", ["8"]],
    ["/grpc.health.v1.Health/Check", ["8"]],
    ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ["8"]],
  ] as const) {
    forgetPeak(pid);
    const before = peakOf(pid);
    expect(await attack(path)).toEqual(statuses);
    const added = peakOf(pid) - before;
    expect(added, `${path} added ${Math.round(added / mebibyte)} MiB`).toBeLessThan(maxAddedBytes);
    console.info(`${path}: ${Math.round(added / mebibyte)} MiB`);
  }
  expect(await server.stop()).toBe(0);
});
