import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobSpec } from "../../../src/domain/index.ts";
import { isAlive, makeWorld, type World } from "./world.ts";

let world: World;
let job: JobSpec;
beforeAll(async () => {
  world = makeWorld({ holdMs: 300 });
  job = await world.open();
});
afterAll(() => world[Symbol.asyncDispose]());

describe("how a step ends", () => {
  it.each([
    ["exit 1", 1, "the script exited with status 1"],
    ["exit 255", 255, "the script exited with status 255"],
    ["no-such-command", 127, "a command was not found"],
    [": >plain; ./plain", 126, "could not be executed"],
    ["kill -9 $$", 137, "as after SIGKILL"],
    ["kill -TERM $$", 143, "as after SIGTERM"],
  ])("%s", async (command, exitCode, message) => {
    const outcome = await world.run(job, command);
    expect(outcome).toMatchObject({ began: true, exitCode, reason: "script_failed", workspaceWhole: false });
    expect(outcome.message).toContain(message);
    expect(outcome.log).not.toMatch(/Killed|Terminated/); // the log holds what the step wrote, and nothing of ours
  });

  it("has an end after its begin", async () => {
    const { begunAt, endedAt } = await world.run(job, "sleep 0.05");
    expect(Number(endedAt) - Number(begunAt)).toBeGreaterThanOrEqual(40);
  });

  it("keeps its status when it removes its workspace; the next step says what is missing", async () => {
    const other = await world.open();
    expect(await world.run(other, 'rm -rf "$PWD"; exit 4')).toMatchObject({
      exitCode: 4,
      workspaceWhole: false,
    });
    const next = await world.run(other, "echo never");
    expect(next).toMatchObject({ began: false, reason: "start_failed", workspaceWhole: false, log: "" });
    expect(next.message).toContain("an earlier step removed it");
  });

  it("is lost, with a hint at the cause, when it kills its parent", async () => {
    const other = await world.open();
    const outcome = await world.run(other, "kill -9 $PPID; sleep 0.1");
    expect(outcome).toMatchObject({ began: true, exitCode: null, reason: "executor_lost" });
    expect(outcome.message).toContain("perhaps by the step itself");
  });

  it("is lost, with a hint at the cause, when it kills its process group; a worker is made for what follows", async () => {
    const other = await world.open();
    const outcome = await world.run(other, "kill -9 0");
    expect(outcome).toMatchObject({ began: true, exitCode: null, reason: "executor_lost" });
    expect(outcome.message).toContain("may have killed it itself");
    expect(await world.run(other, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
  });

  it("survives trap 'kill 0' EXIT, which scripts use to end their children", async () => {
    expect(await world.run(job, "trap 'kill 0' EXIT; sleep 600 & echo done")).toMatchObject({
      exitCode: 143,
      log: "done\n",
    });
    expect(await world.run(job, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
  });

  it("counts although the script deletes what stands beside its step", async () => {
    const other = await world.open();
    expect(await world.run(other, 'rm -rf "$TMPDIR/../steps/"*; echo kept')).toMatchObject({
      exitCode: 0,
      reason: null,
      logBytes: 5,
    });
  });

  it("keeps its log although the script is at those files before anybody else", async () => {
    const other = await world.open();
    for (let round = 0; round < 30; round++) {
      const first = 'for f in "$TMPDIR/../steps/"*; do : >"$f"; done; echo kept';
      expect(await world.run(other, first)).toMatchObject({ exitCode: 0, log: "kept\n" });
    }
  });
});

describe("the log", () => {
  it("holds every byte in order, of both outputs, binary and long lines too", async () => {
    const bytes = randomBytes(300_000);
    writeFileSync(world.path(job, "workspace", "bytes"), bytes);
    const spec = await world.submit(
      job,
      "cat bytes; cat bytes >&2; head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2",
    );
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0, logBytes: 1_600_004, logDropped: 0 });
    expect(
      world
        .logBytes(spec)
        .equals(Buffer.concat([bytes, bytes, Buffer.from("x".repeat(1_000_000)), Buffer.from("end\n")])),
    ).toBe(true);
  });

  it("holds thousands of single writes", async () => {
    const outcome = await world.run(job, "i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done");
    expect(outcome.log).toBe(Array.from({ length: 5000 }, (_, n) => `${n}\n`).join(""));
  });

  it("can be read while the step runs", async () => {
    const spec = await world.submit(job, "echo first; until [ -e go ]; do sleep 0.01; done; echo second");
    expect(await world.appears(`${world.directory}/${spec.executionId}.log`)).toBe("first\n");
    writeFileSync(world.path(job, "workspace", "go"), "");
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0 });
    expect(world.log(spec)).toBe("first\nsecond\n");
  });

  it("ends where the step closes its outputs, which is no failure", async () => {
    expect(await world.run(job, "echo a; exec >&- 2>&-; exit 0")).toMatchObject({ exitCode: 0, log: "a\n" });
  });

  it("is complete soon after the step although a daemon holds the pipe; the daemon lives on", async () => {
    const outcome = await world.run(
      job,
      "echo before; setsid -f sh -c 'echo $$ >daemon; exec sleep 600'; until [ -s daemon ]; do sleep 0.01; done; echo after",
    );
    expect(outcome).toMatchObject({ exitCode: 0, log: "before\nafter\n", logDropped: 0, killedBy: null });
    expect(isAlive(readFileSync(world.path(job, "workspace", "daemon"), "utf8"))).toBe(true);
    expect(await world.run(job, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
  });

  it("goes on after what is there already", async () => {
    const logged = makeWorld();
    await using _ = logged;
    const its = await logged.open();
    const file = `${logged.directory}/shared.log`;
    await logged.restart({ logFile: () => file });
    await logged.executor.open(its);
    writeFileSync(file, "head\n");
    await logged.run(its, "echo tail");
    expect(readFileSync(file, "utf8")).toBe("head\ntail\n");
  });

  it.each([1, 10, 65_536, 100_000])(
    "is cut at %i bytes; the rest is drained and counted",
    async (logCapBytes) => {
      await using capped = makeWorld({ logCapBytes });
      const its = await capped.open();
      const spec = await capped.submit(its, "head -c 1000000 /dev/zero; echo status >&2; exit 7");
      expect(await capped.ended(spec)).toMatchObject({
        exitCode: 7,
        logBytes: logCapBytes,
        logDropped: 1_000_007 - logCapBytes,
      });
      expect(capped.logBytes(spec).length).toBe(logCapBytes);
    },
  );

  it("drops nothing of a log that is exactly as long as the cap", async () => {
    await using capped = makeWorld({ logCapBytes: 1_000 });
    const its = await capped.open();
    expect(await capped.run(its, "head -c 1000 /dev/zero")).toMatchObject({ logBytes: 1_000, logDropped: 0 });
  });

  it("counts what was dropped even when a daemon holds the pipe", async () => {
    await using capped = makeWorld({ logCapBytes: 1_000, holdMs: 300 });
    const its = await capped.open();
    expect(await capped.run(its, "head -c 5000 /dev/zero; setsid -f sleep 600")).toMatchObject({
      logBytes: 1_000,
      logDropped: 4_000,
    });
  });

  it("keeps 1 GB from filling the disk", async () => {
    await using capped = makeWorld({ logCapBytes: 1_048_576 });
    const its = await capped.open();
    const size = 1_073_741_824;
    expect(await capped.run(its, `head -c ${size} /dev/zero`)).toMatchObject({
      exitCode: 0,
      logBytes: 1_048_576,
      logDropped: size - 1_048_576,
    });
  });
});
