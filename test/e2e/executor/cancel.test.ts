import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ExecutionSpec, JobSpec } from "../../../src/domain/index.ts";
import { eventually } from "../../support/eventually.ts";
import { handleOf, specOf } from "../../unit/executor/specs.ts";
import { isAlive, makeWorld, type World } from "./world.ts";

/** Starts a step that writes its pids to the file `pids` when it is ready for what the test does. */
async function start(world: World, job: JobSpec, command: string, over?: Partial<ExecutionSpec>) {
  const spec = await world.submit(job, command, over);
  const pids = (await world.appears(world.path(job, "workspace", "pids"))).trim().split(/\s+/);
  return { spec, pids };
}

describe("cancel", () => {
  it("before the begin takes the start lock: nothing begins, the workspace is whole", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = specOf(job, "touch began");
    await world.executor.cancel(handleOf(spec), "canceled", 1);
    expect(await world.ended(spec)).toMatchObject({ began: false });
    expect((await world.run(job, "ls")).log).toBe("README\n");
  });

  it("lets the script end by itself on SIGTERM: its trap runs, its status and last words are kept, nothing was killed", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const { spec } = await start(
      world,
      job,
      "trap 'wait; echo bye; exit 9' TERM; sleep 600 & echo $! >pids; wait",
    );
    await world.executor.cancel(handleOf(spec), "canceled", 30);
    expect(await world.ended(spec)).toMatchObject({
      began: true,
      exitCode: 9,
      reason: "canceled",
      killedBy: null,
    });
    expect(world.log(spec)).toBe("bye\n");
  });

  it("reaches a script that became a dd, which is what the log's own reader is called", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const { spec } = await start(world, job, "echo $$ >pids; exec dd if=/dev/zero of=/dev/null status=none");
    await eventually(
      () =>
        readFileSync(
          `/proc/${readFileSync(world.path(job, "workspace", "pids"), "utf8").trim()}/comm`,
          "utf8",
        ) === "dd\n",
    );
    await world.executor.cancel(handleOf(spec), "canceled", 60);
    expect(await world.ended(spec)).toMatchObject({ exitCode: 143, reason: "canceled", killedBy: null });
  });

  it("kills what ignores SIGTERM, keeps what it wrote, and names the strategy", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const { spec, pids } = await start(
      world,
      job,
      "trap '' TERM; echo words; echo $$ >pids; while :; do sleep 600; done",
    );
    await world.executor.cancel(handleOf(spec), "canceled", 0);
    expect(await world.ended(spec)).toMatchObject({
      began: true,
      exitCode: null,
      reason: "canceled",
      killedBy: "session",
    });
    expect(world.log(spec)).toBe("words\n");
    expect(pids.map(isAlive)).toEqual([false]);
  });

  it("a second one with less grace hurries the first", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const { spec } = await start(world, job, "trap '' TERM; echo $$ >pids; while :; do sleep 600; done");
    const patient = world.executor.cancel(handleOf(spec), "canceled", 3_600);
    await world.executor.cancel(handleOf(spec), "canceled", 0);
    await patient;
    expect(await world.ended(spec)).toMatchObject({ reason: "canceled", killedBy: "session" });
  });

  it.each([
    [
      "a daemon in a session of its own",
      "setsid -f sh -c 'trap \"\" TERM HUP; echo $$ >>pids; exec sleep 600'",
    ],
    [
      "one that cleared its environment but stayed in the session",
      "env -i /bin/sh -c 'trap \"\" TERM; echo $$ >>pids; while :; do sleep 600; done' &",
    ],
    [
      "a chain that forks and forks",
      "(trap '' TERM; (sleep 600 & echo $! >>pids; (sleep 600 & echo $! >>pids; sleep 600)))&",
    ],
  ])("leaves none of it alive: %s", async (_what, command) => {
    await using world = makeWorld();
    const job = await world.open();
    const { spec } = await start(
      world,
      job,
      `trap '' TERM; ${command}\necho $$ >>pids; while :; do sleep 600; done`,
    );
    await world.executor.cancel(handleOf(spec), "canceled", 0);
    const pids = readFileSync(world.path(job, "workspace", "pids"), "utf8")
      .trim()
      .split("\n");
    expect(pids.map(isAlive)).toEqual(pids.map(() => false));
  });

  it("spares the other members of the group", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const group = { parallelGroup: "g" };
    const other = await world.submit(job, "until [ -e go ]; do sleep 0.01; done; echo lived", group);
    const { spec } = await start(world, job, "echo $$ >pids; sleep 600", group);
    await world.executor.cancel(handleOf(spec), "canceled", 5);
    expect(await world.ended(spec)).toMatchObject({ reason: "canceled" });
    await world.run(job, ": >go", group);
    expect(await world.ended(other)).toMatchObject({ exitCode: 0 });
  });

  it("after the end, while a daemon still holds the log, changes nothing", async () => {
    await using world = makeWorld({ holdMs: 500 });
    const job = await world.open();
    const { spec } = await start(world, job, "setsid -f sleep 600; echo $$ >pids");
    await eventually(() =>
      readFileSync(world.path(job, "steps", `${spec.stepId}.1`), "utf8").includes("#exit 0\n"),
    );
    await world.executor.cancel(handleOf(spec), "canceled", 0);
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0, reason: null });
  });
});

describe("timeout", () => {
  it("ends a step as timed out, by its own grace", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const outcome = await world.run(job, "trap 'echo stopping; exit 0' TERM; sleep 600 & wait", {
      timeoutSeconds: 1,
    });
    expect(outcome).toMatchObject({ began: true, exitCode: 0, reason: "timed_out", log: "stopping\n" });
    expect(outcome.message).toBe("the step ran longer than its timeout of 1 s");
  });

  it("kills after the grace", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const outcome = await world.run(job, "trap '' TERM; while :; do sleep 600; done", {
      timeoutSeconds: 1,
      graceSeconds: 0,
    });
    expect(outcome).toMatchObject({ exitCode: null, reason: "timed_out", killedBy: "session" });
  });
});
