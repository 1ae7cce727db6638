/** kill -9 of a run: what still ran is attached again, what had ended is recorded, nothing is lost or repeated. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { killAll, ledger } from "../../support/kill-campaign.ts";

describe("after a kill -9", () => {
  let world: World;
  beforeEach(async () => {
    world = await World.prepared();
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  it("the step itself goes on when the command dies, and its end is found", async () => {
    const directory = world.directory("goes-on", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: waits, run: "echo begun; until [ -e ${world.root}/go ]; do sleep 0.02; done; echo ended >>${world.root}/ledger; echo done" }
    - { name: next, run: "echo next >>${world.root}/ledger" }
`,
    });
    const running = world.start(["run", directory]);
    await running.said(/\[build\/waits\] begun/);
    running.child.kill("SIGKILL");
    await running.ended;
    const listed = await world.shipinator(["list"]);
    expect(listed.stdout).toMatch(/^ +1 +running/m);
    expect(listed.stderr).toBe("note: Unfinished: run 1 of goes-on. Resume it with: shipinator resume 1\n");
    expect((await world.status("1")).status).toBe("running");
    writeFileSync(join(world.root, "go"), "");
    await eventually(() => ledger(world).includes("ended"));
    // Whoever only looks starts nothing.
    await world.shipinator(["list"]);
    expect(ledger(world)).toEqual(["ended"]);
    const resumed = await world.shipinator(["resume", "1"]);
    expect(resumed.code).toBe(0);
    expect(ledger(world)).toEqual(["ended", "next"]);
    expect(await world.log("1", "waits")).toBe("begun\ndone\n");
    expect((await world.status("1")).jobs[0]?.steps[0]?.executions).toHaveLength(1);
    expect(await world.shipinator(["resume", "1"])).toMatchObject({ code: 2 });
  });

  it("everything at once in a step: it is executor_lost with its reason, and not repeated", async () => {
    const directory = world.directory("all", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: first, run: "echo first >>${world.root}/ledger" }
    - { name: lost, run: "echo lost >>${world.root}/ledger; sleep 300" }
    - { name: later, run: "echo later >>${world.root}/ledger" }
`,
    });
    const running = world.start(["run", directory]);
    await eventually(() => ledger(world).includes("lost"));
    running.child.kill("SIGKILL");
    await running.ended;
    killAll(world, () => true);
    const listed = await world.shipinator(["list"]);
    expect(listed.code).toBe(0);
    await world.shipinator(["resume"]);
    expect(ledger(world)).toEqual(["first", "lost"]);
    const run = await world.status();
    expect(run).toMatchObject({ status: "failed", failure_reason: "executor_lost" });
    expect(run.jobs[0]?.steps.map(({ name, status }) => [name, status])).toEqual([
      ["first", "succeeded"],
      ["lost", "failed"],
      ["later", "skipped"],
    ]);
    expect(run.failure_message).toMatch(/lost/);
  });
});
