/** Steps that run elsewhere: a server that starts nothing itself, and an executor that knows its callbacks alone. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { CallbackAgent } from "../../support/callback-agent.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, portOf, serverEnvironment, startServer, type TestServer } from "../../support/server.ts";

let world: World;
let server: TestServer;
let agent: CallbackAgent;
let environment: Record<string, string>;

const pipeline = `
build:
  steps:
    - name: compile
      run: |
        git log -1 --format=%s
        mkdir -p bin && printf 'echo %s\\n' "$SHIPINATOR_SHORT_COMMIT" > bin/app
      outputs: [{ type: binary, path: bin/app }]
    - { name: same-workspace, run: test -f bin/app }
test:
  steps:
    - { name: unit, run: "sh bin/app; test -x bin/app; echo tested" }
deploy:
  artifact: app
  run: sh "$SHIPINATOR_ARTIFACTS_DIR/app" > "$HOME/deployed"
`;
const waiting = `
test:
  steps:
    - { name: waiting, run: 'echo "$SHIPINATOR_RUN_ID" >> $HOME/begun; until [ -e $HOME/go ]; do sleep 0.05; done' }
`;
const output = (name: string) =>
  `build: { steps: [{ name: ${name}, run: "echo > out", outputs: [{ type: binary, path: out }] }] }\n`;

beforeAll(async () => {
  world = await World.prepared();
  agent = new CallbackAgent(world.home);
  environment = {
    SHIPINATOR_EXECUTOR: "remote",
    SHIPINATOR_REMOTE_LAUNCH: agent.program,
    SHIPINATOR_REMOTE_SILENCE: "2s",
  };
  server = await startServer(world, 0, environment);
  for (const [name, text] of Object.entries({
    app: pipeline,
    waiting,
    silent: output("silent"),
    careless: output("careless"),
    quick: "test: { steps: [{ name: quick, run: ':' }] }\n",
  })) {
    const added = await world.shipinator(
      ["pipeline", "add", world.repository(name, { ".shipinator.yaml": text })],
      { env: serverEnvironment },
    );
    expect(added.code).toBe(0);
  }
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await agent[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const trigger = (name: string) => server.post<RunDetail>(`/v1/pipelines/${name}/runs`);
const stepOf = ({ jobs }: RunDetail) => jobs[0]?.steps[0];

describe("an executor elsewhere", () => {
  it("builds, tests and deploys by callbacks alone", async () => {
    const run = await ended(server, (await trigger("app")).id);
    expect([run.status, run.failure_message]).toEqual(["success", null]);
    expect(readFileSync(join(world.home, "deployed"), "utf8")).toBe(`${run.git_sha?.slice(0, 12)}\n`);
    expect(agent.heard.filter((one) => /^(begin|error)/.test(one))).toEqual([
      "begin compile",
      "begin same-workspace",
      "begin unit",
      "begin deploy",
    ]);
    const logs = await world.shipinator(["logs", run.id, "--step", "unit"], { env: serverEnvironment });
    expect(logs.stdout).toBe(`${run.git_sha?.slice(0, 12)}\ntested\n`);
    const [app] = run.artifacts;
    const bytes = await (await server.fetch(`/v1/artifacts/${app?.id}/download`)).text();
    expect(bytes).toBe(`echo ${run.git_sha?.slice(0, 12)}\n`);
    await eventually(() => agent.heard.filter((one) => one.startsWith("release")).length === 3);
  });

  it("is not believed without what it should have uploaded", async () => {
    agent.words.careless.add("careless");
    const run = await ended(server, (await trigger("careless")).id);
    expect([run.status, run.failure_reason]).toEqual(["failed", "artifact_missing"]);
  });

  it("is lost when it says nothing any more, and nothing is repeated", async () => {
    agent.words.silent.add("silent");
    const run = await ended(server, (await trigger("silent")).id);
    expect([run.status, run.failure_reason]).toEqual(["failed", "executor_lost"]);
    expect(stepOf(run)?.executions).toHaveLength(1);
  });

  it("hears that its run is canceled", async () => {
    const { id } = await trigger("waiting");
    await eventually(() => agent.heard.at(-1) === "begin waiting");
    await server.post(`/v1/pipeline-runs/${id}/cancel`);
    const run = await ended(server, id);
    expect([run.status, stepOf(run)?.status]).toEqual(["canceled", "canceled"]);
    await eventually(() => agent.heard.some((one) => one.startsWith("canceled waiting")));
  });

  it("goes on while the server is away, and the next server takes its word", async () => {
    const { id } = await trigger("waiting");
    const begun = () =>
      readFileSync(join(world.home, "begun"), "utf8")
        .split("\n")
        .filter((line) => line === id);
    await eventually(() => begun().length === 1);
    const port = portOf(server);
    await server.kill();
    writeFileSync(join(world.home, "go"), "");
    server = await startServer(world, port, environment);
    const run = await ended(server, id);
    expect([run.status, begun().length]).toEqual(["success", 1]);
  });

  it("is told where to report also by a server that goes on with what was being started", async () => {
    agent.hold();
    const accepted: RunDetail[] = [];
    for (let count = 0; count < 8; count += 1) accepted.push(await trigger("quick"));
    await eventually(() => agent.isHeld);
    await server.kill();
    agent.letGo();
    // What is silent for long is another test's matter.
    server = await startServer(world, 0, { ...environment, SHIPINATOR_REMOTE_SILENCE: "1m" });
    for (const { id } of accepted) {
      const run = await ended(server, id);
      expect([run.status, run.failure_message]).toEqual(["success", null]);
    }
    expect(agent.heard.filter((one) => one.startsWith("error"))).toEqual([]);
  });
});
