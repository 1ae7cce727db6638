/** What a team does with an installed package: by command, by curl, by gRPC, with executors here and elsewhere. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  TriggerRunRequestSchema,
  TriggerRunResponseSchema,
} from "../../../src/api/rpc/generated/shipinator.ts";
import type { RunDetail, RunSummary } from "../../../src/services/index.ts";
import { CallbackAgent } from "../../support/callback-agent.ts";
import { World } from "../../support/cli.ts";
import { packedLauncher } from "../../support/packed.ts";
import { ended, portOf, serverEnvironment, startServer, type TestServer } from "../../support/server.ts";

let world: World;
let launcher: string;
let server: TestServer;

const pipeline = `
build:
  steps:
    - name: make
      run: |
        echo begun; until [ -e $HOME/go ]; do sleep 0.05; done
        head -c 100000 /dev/urandom > app; sha256sum app > $HOME/sum-$SHIPINATOR_RUN_ID; echo done
      outputs: [{ type: binary, path: app }]
test: { steps: [{ name: unit, run: "test ! -e $HOME/broken; test -s app" }] }
`;

beforeAll(async () => {
  world = await World.prepared();
  launcher = await packedLauncher(world);
  server = await startServer(world, 0, {}, launcher);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await world[Symbol.asyncDispose]();
});

const cli = (...argv: string[]) => world.shipinator(argv, { env: serverEnvironment, launcher });
const go = () => writeFileSync(join(world.home, "go"), "");

async function restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const port = portOf(server);
  expect(await server.stop()).toBe(0);
  server = await startServer(world, port, env, launcher);
}

it("registers, triggers, follows through a restart, cancels, retries, downloads", async () => {
  const repository = world.repository("app", { ".shipinator.yaml": pipeline });
  expect(await cli("pipeline", "add", repository)).toMatchObject({ code: 0 });
  const following = world.start(["trigger", "app", "--follow"], { env: serverEnvironment, launcher });
  await following.said(/\[build\/make\] begun/);
  await restart();
  go();
  expect(await following.ended).toMatchObject({ code: 0 });
  const first = await server.get<RunDetail>("/v1/pipeline-runs/latest");

  const target = join(world.root, "downloaded");
  expect(await cli("download", `${first.id}/app`, "--to", target)).toMatchObject({ code: 0 });
  const digest = createHash("sha256").update(readFileSync(target)).digest("hex");
  expect(readFileSync(join(world.home, `sum-${first.id}`), "utf8")).toMatch(new RegExp(`^${digest} `));
  expect(first.artifacts[0]?.checksum).toBe(digest);

  writeFileSync(join(world.home, "broken"), "");
  const asked = execFileSync("curl", [
    ...["-fsS", "-X", "POST", "-H", `Authorization: Bearer ${server.token}`],
    `${server.url}/v1/pipelines/app/runs`,
  ]);
  const second: RunSummary = JSON.parse(asked.toString());
  expect((await ended(server, second.id)).status).toBe("failed");
  execFileSync("rm", [join(world.home, "broken")]);
  expect(await cli("retry", second.id, "--failed")).toMatchObject({ code: 0 });
  const retried = await ended(server, "latest");
  expect([retried.status, retried.retried_from]).toEqual(["success", second.id]);

  execFileSync("rm", [join(world.home, "go")]);
  const third = await triggerByGrpc("app");
  const reading = world.start(["logs", third, "--step", "make", "--follow"], {
    env: serverEnvironment,
    launcher,
  });
  await reading.said(/begun/);
  expect(await cli("cancel", third)).toMatchObject({ code: 0 });
  expect((await ended(server, third)).status).toBe("canceled");
  await reading.ended;
});

it("has steps carried out elsewhere, by callbacks alone, and all of it comes back from a backup", async () => {
  await using agent = new CallbackAgent(world.home);
  await restart({ SHIPINATOR_EXECUTOR: "remote", SHIPINATOR_REMOTE_LAUNCH: agent.program });
  go();
  const { code, stdout } = await cli("trigger", "app", "--follow");
  expect([code, stdout]).toEqual([0, expect.stringContaining("[build/make] done")]);
  expect(agent.heard.filter((one) => one.startsWith("success"))).toHaveLength(2);

  const file = join(world.root, "all.tar");
  expect(await cli("backup", file)).toMatchObject({ code: 0 });
  const elsewhere = { ...serverEnvironment, SHIPINATOR_DATA_DIR: join(world.root, "elsewhere") };
  const restored = await world.shipinator(["restore", file], { env: elsewhere, launcher });
  expect([restored.code, restored.stderr]).toEqual([0, expect.any(String)]);
  const list = (env: Record<string, string>) =>
    world.shipinator(["list", "-o", "json", "--server", "local"], { env, launcher });
  const [there, here] = [await list(elsewhere), await list(serverEnvironment)];
  expect(JSON.parse(there.stdout)).toEqual(JSON.parse(here.stdout));
  const again = join(world.root, "again");
  const download = ["download", "latest/app", "--to", again, "--server", "local"];
  expect(await world.shipinator(download, { env: elsewhere, launcher })).toMatchObject({ code: 0 });
  const { artifacts } = await server.get<RunDetail>("/v1/pipeline-runs/latest");
  expect(createHash("sha256").update(readFileSync(again)).digest("hex")).toBe(artifacts[0]?.checksum);
});

async function triggerByGrpc(name: string): Promise<string> {
  const client = new Client(new URL(server.url).host, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${server.token}`);
  try {
    return await new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        "/shipinator.v1.PipelineService/TriggerRun",
        (request: Uint8Array) => Buffer.from(request),
        (bytes: Buffer) => fromBinary(TriggerRunResponseSchema, bytes),
        toBinary(TriggerRunRequestSchema, create(TriggerRunRequestSchema, { pipeline: name })),
        metadata,
        (error, answer) => (error === null ? resolve(answer?.run?.id ?? "") : reject(error)),
      ),
    );
  } finally {
    client.close();
  }
}
