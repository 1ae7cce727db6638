/** `image` where the local executor runs the step: it is not used, and every place that shows the run says so. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunDetail, RunWhy } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { startServer } from "../../support/server.ts";

let world: World;
beforeEach(async () => {
  world = await World.prepared();
});
afterEach(() => world[Symbol.asyncDispose]());

const file = {
  ".shipinator.yaml":
    "build:\n  steps:\n    - { name: a, image: 'python:3.12', run: 'echo ran' }\n    - { name: b, run: 'true' }\n",
};
const note =
  'step a: image "python:3.12" is not used: the local executor runs the step with what this machine has installed';

it("is said by run, status, why, validate, a trigger and the API", async () => {
  const repository = world.repository("app", file);
  const validated = await world.succeed(["validate", repository]);
  expect(validated.output).toContain('The local executor ignores the image "python:3.12"');
  expect((await world.succeed(["run", repository])).output).toContain(note);
  const server = await startServer(world);
  await world.succeed(["pipeline", "add", repository]);
  expect((await world.succeed(["trigger", "app", "--follow"])).output).toContain(note);
  expect((await world.succeed(["status"])).output).toContain(note);
  expect((await world.succeed(["why"])).output).toContain(note);
  const run: RunDetail = JSON.parse((await world.succeed(["status", "-o", "json"])).stdout);
  const why: RunWhy = JSON.parse((await world.succeed(["why", "-o", "json"])).stdout);
  expect([run.notes, why.notes]).toEqual([[note], [note]]);
  expect(await server.stop()).toBe(0);
});

it("is refused where the server says so, and nothing of the step begins", async () => {
  const repository = world.repository("app", file);
  const { code, run, log, view } = await world.run([repository], {
    env: { SHIPINATOR_LOCAL_IMAGE: "refuse" },
  });
  expect([code, run.failure_reason, log("build/a")]).toEqual([1, "start_failed", ""]);
  expect(run.failure_message).toContain('image "python:3.12" is refused');
  expect(run.failure_message).toContain("local.image is refuse");
  expect([run.notes, view]).toEqual([[], expect.not.stringContaining("is not used")]);
});
