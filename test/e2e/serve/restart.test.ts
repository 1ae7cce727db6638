/** A server that stops and starts in the middle of runs, in order and not: nothing is lost, nothing is repeated. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, portOf, serverEnvironment, startServer, type TestServer } from "../../support/server.ts";

let world: World;
let server: TestServer;

/** Each step writes its begin into a ledger, then waits until it is told to go on. */
const step = (name: string) =>
  `{ name: ${name}, run: 'echo "$SHIPINATOR_RUN_ID ${name}" >> $HOME/ledger; echo begun; until [ -e $HOME/go ]; do sleep 0.05; done; echo done' }`;
const pipeline = `build:\n  steps:\n    - ${step("a")}\n    - ${step("b")}\ntest:\n  steps:\n    - ${step("c")}\n`;

beforeEach(async () => {
  world = await World.prepared();
  server = await startServer(world);
  const repository = world.repository("app", { ".shipinator.yaml": pipeline });
  await world.shipinator(["pipeline", "add", repository], { env: serverEnvironment });
});
afterEach(async () => {
  expect(await server.stop()).toBe(0);
  await world[Symbol.asyncDispose]();
});

const ledger = () =>
  existsSync(join(world.home, "ledger")) ? readFileSync(join(world.home, "ledger"), "utf8") : "";
const go = () => appendFileSync(join(world.home, "go"), "");
const trigger = () => server.post<RunDetail>("/v1/pipelines/app/runs");

function begun(run: RunDetail): readonly string[] {
  return ledger()
    .split("\n")
    .filter((line) => line.startsWith(run.id))
    .map((line) => line.split(" ")[1] ?? "");
}

describe("a server that is stopped in the middle of a run", () => {
  it("leaves it running, and the next one carries it to its end; who follows it sees all of it", async () => {
    const following = world.start(["trigger", "app", "--follow"], { env: serverEnvironment });
    await following.said(/\[build\/a\] begun/);
    const port = portOf(server);
    expect(await server.stop()).toBe(0);
    // While it is away, nobody else takes the run for abandoned.
    const listed = await world.shipinator(["list"], { env: serverEnvironment });
    expect([listed.code, listed.stderr]).toEqual([0, ""]);
    server = await startServer(world, port);
    go();
    const { code, stdout } = await following.ended;
    expect(code).toBe(0);
    for (const name of ["build/a", "build/b", "test/c"])
      expect(stdout.match(new RegExp(`\\[${name}\\] (begun|done)`, "g"))).toHaveLength(2);
    const run = await server.get<RunDetail>("/v1/pipeline-runs/latest");
    expect([run.status, begun(run)]).toEqual(["success", ["a", "b", "c"]]);
  });

  it("is carried on after kill -9 as well", async () => {
    const run = await trigger();
    await eventually(() => ledger().includes(run.id));
    await server.kill();
    go();
    server = await startServer(world);
    expect((await ended(server, run.id)).status).toBe("success");
    expect(begun(run)).toEqual(["a", "b", "c"]);
  });

  it("loses and repeats nothing of many runs, stopped twice and killed once", async () => {
    const runs: RunDetail[] = [];
    for (let count = 0; count < 12; count += 1) runs.push(await trigger());
    await eventually(() => ledger() !== "");
    const port = portOf(server);
    expect(await server.stop()).toBe(0);
    server = await startServer(world, port);
    go();
    await eventually(() => ledger().split("\n").length > 6);
    expect(await server.stop()).toBe(0);
    server = await startServer(world, port);
    await eventually(() => ledger().split("\n").length > 14);
    await server.kill();
    server = await startServer(world, port);
    for (const run of runs) {
      expect((await ended(server, run.id)).status).toBe("success");
      expect(begun(run)).toEqual(["a", "b", "c"]);
    }
  });

  it("lets no more steps run than it has slots, killed while they run", async () => {
    const counting =
      "mkdir -p $HOME/live; : > $HOME/live/$SHIPINATOR_RUN_ID; ls $HOME/live | wc -l >> $HOME/counts";
    const step = `{ name: a, run: '${counting}; until [ -e $HOME/go ]; do sleep 0.05; done; rm $HOME/live/$SHIPINATOR_RUN_ID' }`;
    const repository = world.repository("counted", { ".shipinator.yaml": `test: { steps: [${step}] }\n` });
    await world.shipinator(["pipeline", "add", repository], { env: serverEnvironment });
    const slots = { SHIPINATOR_LOCAL_SLOTS: "3" };
    expect(await server.stop()).toBe(0);
    server = await startServer(world, 0, slots);
    const accepted = await Promise.all(
      Array.from({ length: 10 }, () => server.post<RunDetail>("/v1/pipelines/counted/runs")),
    );
    const counts = () =>
      existsSync(join(world.home, "counts"))
        ? readFileSync(join(world.home, "counts"), "utf8").trim().split("\n").map(Number)
        : [];
    await eventually(() => counts().length === 3);
    await server.kill();
    server = await startServer(world, 0, slots);
    while (!(await server.fetch("/readyz")).ok);
    go();
    for (const run of accepted) expect((await ended(server, run.id)).status).toBe("success");
    expect([counts().length, Math.max(...counts())]).toEqual([10, 3]);
  });

  it("resolves after its start what it had accepted before it was killed", async () => {
    const accepted = await Promise.all(Array.from({ length: 4 }, trigger));
    await server.kill();
    go();
    server = await startServer(world);
    for (const run of accepted) expect((await ended(server, run.id)).status).toBe("success");
  });
});
