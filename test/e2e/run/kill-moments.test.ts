/** kill -9 at random moments, and of other processes than the command. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { databaseIsOurs } from "../../support/external-database.ts";
import {
  campaignRepository,
  describeCampaign,
  environment,
  expectCarried,
  killAll,
  ledger,
} from "../../support/kill-campaign.ts";

describeCampaign(3, 20261124);

describe("kill -9 of other parts", () => {
  let world: World;
  beforeEach(async () => {
    world = await World.prepared();
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const itOfOurs = databaseIsOurs ? it : () => {};
  itOfOurs("Postgres under a run: it is started again, and the run goes on", async () => {
    const repository = campaignRepository(world);
    const running = world.start(["run", repository], { env: environment });
    await running.said(/▸ test\/t1/);
    // The postmaster, and perhaps a child of it so young that it still goes by its name.
    expect(killAll(world, (command) => / -D .*postgres\/data/.test(command))).toBeGreaterThan(0);
    const { code, stderr } = await running.ended;
    // It may have ended with an error of the environment; then the next command goes on.
    if (code !== 0) {
      expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/^error: /) });
      expect((await world.shipinator(["resume"], { env: environment })).code).toBe(0);
    }
    expectCarried(await world.status("1"), ledger(world));
  });

  it("everything at once in a deploy: its outcome is not known, and nothing repeats it", async () => {
    const directory = world.directory("deploys", {
      ".shipinator.yaml": `deploy: { run: "echo deploy >>${world.root}/ledger; sleep 300" }\n`,
    });
    const running = world.start(["run", directory]);
    await eventually(() => ledger(world).includes("deploy"));
    running.child.kill("SIGKILL");
    await running.ended;
    killAll(world, () => true);
    const resumed = await world.shipinator(["resume"]);
    expect(resumed.code).toBe(1);
    expect(resumed.stdout).toContain("deploy_unknown");
    expect(ledger(world)).toEqual(["deploy"]);
    expect(await world.status()).toMatchObject({ status: "failed", failure_reason: "deploy_unknown" });
    // The next deploy to the same place waits for a person.
    const next = await world.shipinator(["run", directory]);
    expect(next.code).toBe(1);
    expect(next.stdout).toContain("shipinator deployments resolve");
    expect(ledger(world)).toEqual(["deploy"]);
  });

  it("the command, then canceled by another: that one ends what still runs and stays until it is over", async () => {
    const directory = world.directory("unwanted", {
      ".shipinator.yaml": 'build: { steps: [{ name: waits, run: "echo begun; sleep 600" }] }\n',
    });
    const running = world.start(["run", directory]);
    await running.said(/\[build\/waits\] begun/);
    running.child.kill("SIGKILL");
    await running.ended;
    const { code, stdout } = await world.shipinator(["cancel", "1"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^. run 1 of unwanted is being canceled\n. run 1 of unwanted: canceled after/);
    expect(world.processes().filter((it) => /sleep 600/.test(it.command))).toEqual([]);
    expect((await world.status("1")).status).toBe("canceled");
    expect(await world.shipinator(["cancel", "1"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "note: The run has already ended: canceled.\n",
    });
  });

  it("logs --follow says that nobody carries the run, and is in nobody's way who does", async () => {
    const directory = world.directory("followed", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: waits, run: "echo begun; until [ -e ${world.root}/go ]; do sleep 0.02; done; echo ended" }
    - { name: next, run: "echo next" }
`,
    });
    const running = world.start(["run", directory]);
    await running.said(/\[build\/waits\] begun/);
    running.child.kill("SIGKILL");
    await running.ended;
    const following = world.start(["logs", "latest", "--follow"]);
    await following.said(/note: Unfinished: run 1 of followed.*shipinator resume 1/);
    await following.said(/\[build\/waits\] begun/);
    const resuming = world.start(["resume"]);
    await resuming.said(/\[build\/waits\] begun/);
    writeFileSync(join(world.root, "go"), "");
    expect((await resuming.ended).code).toBe(0);
    expect(await following.ended).toMatchObject({
      code: 0,
      stdout: "[build/waits] begun\n[build/waits] ended\n[build/next] next\n",
    });
  });
});
