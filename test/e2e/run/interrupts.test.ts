/** Ctrl-C, SIGTERM, a reader that leaves, two at once. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunSummary } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";

let world: World;
beforeAll(async () => {
  world = await World.prepared();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const waits = (name: string, script: string) =>
  world.directory(name, {
    ".shipinator.yaml": `
build: { steps: [{ name: waits, run: ${JSON.stringify(script)} }, { name: later, run: "touch ${world.root}/later" }] }
test: { steps: [{ name: never, run: "touch ${world.root}/later" }] }
`,
  });

describe("Ctrl-C", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "%s cancels the run, lets the step clean up, and ends with 130",
    async (signal) => {
      const cleaned = join(world.root, `cleaned-${signal}`);
      const directory = waits(signal, `trap 'touch ${cleaned}; exit 1' TERM; echo begun; sleep 300 & wait`);
      const running = world.start(["run", directory]);
      await running.said(/\[build\/waits\] begun/);
      running.child.kill(signal);
      const { code, stdout, stderr } = await running.ended;
      expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
      expect(stdout).toContain("canceling");
      expect(existsSync(cleaned)).toBe(true);
      expect(existsSync(join(world.root, "later"))).toBe(false);
      expect(await world.status()).toMatchObject({ status: "canceled", failure_reason: "canceled" });
      const { jobs } = await world.status();
      expect(jobs.map((job) => job.status)).toEqual(["canceled", "canceled"]);
      await world.quiet();
    },
  );

  it("a second one insists: the step is killed at once, whatever its grace", async () => {
    const directory = waits(
      "stubborn",
      "trap '' TERM INT; echo begun; while :; do sleep 0.3; echo goes on; done",
    );
    const running = world.start(["run", directory], { env: { SHIPINATOR_LOCAL_GRACE: "30m" } });
    await running.said(/\[build\/waits\] begun/);
    running.child.kill("SIGINT");
    // Two lines of the step later it is no longer the same press.
    await running.said(/press Ctrl-C again to force(?:[\s\S]*goes on){2}/);
    running.child.kill("SIGINT");
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
    expect(stdout).toMatch(/– run 1 of stubborn: canceled/);
    await world.quiet();
    expect(await world.status()).toMatchObject({ status: "canceled" });
    expect(existsSync(join(world.root, "later"))).toBe(false);
  });
});

it("a run that another process cancels is canceled by the one that carries it", async () => {
  const directory = waits("elsewhere", "echo begun; sleep 300");
  const running = world.start(["run", directory]);
  await running.said(/\[build\/waits\] begun/);
  const asked = await world.shipinator(["cancel", "elsewhere#1"]);
  expect(asked).toMatchObject({ code: 0, stderr: "" });
  expect(asked.stdout).toMatch(/is being canceled by the process that drives it\n$/);
  expect((await running.ended).code).toBe(1);
  expect(await world.status("elsewhere#1")).toMatchObject({ status: "canceled" });
  await world.quiet();
});

it("a reader that leaves early (| head) does not keep the run from its end", async () => {
  const directory = world.directory("head", {
    ".shipinator.yaml": `build: { steps: [{ name: a, run: "seq 20000" }, { name: b, run: "touch ${world.root}/after-head" }] }\n`,
  });
  const running = world.start(["run", directory]);
  await running.said(/\[build\/a\] 1\n/);
  running.child.stdout?.destroy();
  const { code, stderr } = await running.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(existsSync(join(world.root, "after-head"))).toBe(true);
  const logs = world.start(["logs", "latest", "--step", "a"]);
  await logs.said(/^1\n/);
  logs.child.stdout?.destroy();
  expect(await logs.ended).toMatchObject({ code: 0, stderr: "" });
});

it("two runs at once share the data directory", async () => {
  const meet = (mine: string, theirs: string) =>
    `touch ${world.root}/${mine}; n=0; until [ -e ${world.root}/${theirs} ]; do n=$((n + 1)); [ $n -lt 400 ] || exit 9; sleep 0.05; done; echo met`;
  const one = world.directory("one", {
    ".shipinator.yaml": `build: { steps: [{ name: a, run: "${meet("a", "b")}" }] }\n`,
  });
  const two = world.directory("two", {
    ".shipinator.yaml": `build: { steps: [{ name: a, run: "${meet("b", "a")}" }] }\n`,
  });
  const answers = await Promise.all([world.shipinator(["run", one]), world.shipinator(["run", two])]);
  expect(answers.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
    { code: 0, stderr: "" },
    { code: 0, stderr: "" },
  ]);
  const runs: readonly RunSummary[] = JSON.parse(
    (await world.shipinator(["list", "-n", "2", "-o", "json"])).stdout,
  );
  expect(runs.map((run) => run.project).toSorted()).toEqual(["one", "two"]);
  await world.quiet();
});

it("logs --follow shows another process' run to its end", async () => {
  const directory = world.directory("followed", {
    ".shipinator.yaml": `build: { steps: [{ name: a, run: "echo first; until [ -e ${world.root}/go ]; do sleep 0.05; done; echo last" }] }\n`,
  });
  const running = world.start(["run", directory]);
  await running.said(/\[build\/a\] first/);
  const following = world.start(["logs", "latest", "--follow"]);
  await following.said(/\[build\/a\] first/);
  writeFileSync(join(world.root, "go"), "");
  expect(await following.ended).toMatchObject({
    code: 0,
    stdout: "[build/a] first\n[build/a] last\n",
    stderr: "",
  });
  expect((await running.ended).code).toBe(0);
});
