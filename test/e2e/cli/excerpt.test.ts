/** What is shown of a failed step's log, everywhere the same. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunWhy } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { startServer } from "../../support/server.ts";

let world: World;
beforeEach(async () => {
  world = await World.prepared();
});
afterEach(() => world[Symbol.asyncDispose]());

it("a failure far from the log's end is shown by run, status and why, here and through a server", async () => {
  const repository = world.repository("app", {
    ".shipinator.yaml": `
test:
  steps:
    - name: unit
      run: |
        echo "ok 1 - fine"; echo "not ok 2 - adds"; echo "  expected 3"
        for n in $(seq 5000); do echo "cleaning up $n"; done
        exit 1
`,
  });
  const shown =
    /\| not ok 2 - adds\n +\| {3}expected 3\n +\| cleaning up 1\n +\| (…|\.\.\.)\n +\| cleaning up 4993\n/;
  const { code, stderr, stdout } = await world.shipinator(["run", repository]);
  expect([code, stdout + stderr]).toEqual([1, expect.stringMatching(shown)]);
  const excerpt = [
    "not ok 2 - adds",
    "  expected 3",
    "cleaning up 1",
    "…",
    ...Array.from({ length: 8 }, (_, at) => `cleaning up ${at + 4993}`),
  ];
  const looks = async () => {
    expect((await world.shipinator(["status"])).stdout).toMatch(shown);
    expect((await world.shipinator(["why"])).stdout).toMatch(shown);
    const why: RunWhy = JSON.parse((await world.succeed(["why", "-o", "json"])).stdout);
    expect(why.causes[0]?.excerpt).toEqual(excerpt);
  };
  await looks();
  const server = await startServer(world);
  await looks();
  expect(await server.stop()).toBe(0);
});
