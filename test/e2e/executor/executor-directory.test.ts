import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { createLocalExecutor, type LocalExecutorOptions } from "../../../src/executor/index.ts";
import { eventually } from "../../support/eventually.ts";
import { handleOf, specOf } from "../../unit/executor/specs.ts";
import { makeWorld, optionsIn } from "./world.ts";

describe("the executor's directory", () => {
  it("is swept of the jobs that nobody lists, and of nothing else", async () => {
    await using world = makeWorld();
    const live = await world.open();
    const stale = await world.open();
    await world.restart();
    expect(await world.executor.sweep(async (key) => key !== `${live.jobId}.1`)).toEqual([
      `${stale.jobId}.1`,
    ]);
    expect([existsSync(world.path(live)), existsSync(world.path(stale))]).toEqual([true, false]);
    expect(readdirSync(`${world.directory}/executor/trash`)).toEqual([]);
  });

  it("survives being stopped while steps run, and stops twice", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = await world.submit(
      job,
      "echo here > begun; until [ -e go ]; do sleep 0.01; done; echo done",
    );
    // What has not begun when its server stops is proven not to have, and is another story.
    await world.appears(world.path(job, "workspace", "begun"));
    await world.executor[Symbol.asyncDispose]();
    await world.restart();
    writeFileSync(world.path(job, "workspace", "go"), "");
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0 });
  });

  it("cannot be made where it may not: one clear sentence", () => {
    const make = (over: Partial<LocalExecutorOptions>) => () =>
      createLocalExecutor(optionsIn("/nowhere", over));
    expect(make({ directory: "/proc/none" })).toThrow(/\/proc\/none cannot hold workspaces/);
    expect(make({ directory: "/dev/null/x" })).toThrow(/ENOTDIR/);
    expect(make({ directory: "relative" })).toThrow(/absolute path/);
    expect(make({ platform: "darwin" })).toThrow(/needs Linux, and this is darwin/);
    expect(make({ strategies: [], directory: `${tmpdir()}/shipinator-none-${process.pid}` })).toThrow(
      /None of the ways to end processes/,
    );
  });

  it("fails a submit whose files cannot be written; nothing has begun", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = specOf(job, "touch began");
    renameSync(world.path(job, "steps"), world.path(job, "elsewhere"));
    await expect(world.executor.submit(spec)).rejects.toMatchObject({ code: "storage_failed" });
    renameSync(world.path(job, "elsewhere"), world.path(job, "steps"));
    expect(await world.ended(spec)).toMatchObject({ began: false });
  });

  it("may be removed by a step: the step keeps its end, and the next job starts as ever", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const removes = await world.run(job, `rm -rf "${world.directory}/executor"; echo removed`);
    expect(removes).toMatchObject({ exitCode: 0, reason: null, log: "removed\n", logBytes: 8 });
    await world.executor.close(job);
    expect(await world.executor.sweep(async () => true)).toEqual([]);
    const next = await world.open();
    expect(await world.run(next, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
  });

  it("may be removed while a step runs: who asks meanwhile hears that it runs, and its end comes", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const sign = `${world.directory}/sign`;
    const spec = await world.submit(
      job,
      `rm -rf "${world.directory}/executor"; echo gone >${sign}; until [ -e ${world.directory}/go ]; do sleep 0.01; done`,
    );
    await world.appears(sign);
    // The worker's word may come a moment after the step's sign.
    await eventually(async () => (await world.executor.status(handleOf(spec))).state !== "waiting");
    expect(await world.executor.status(handleOf(spec))).toMatchObject({ state: "begun" });
    writeFileSync(`${world.directory}/go`, "");
    expect(await world.ended(spec)).toMatchObject({ began: true, exitCode: 0, reason: null });
    const cancelled = await world.submit(
      await world.open(),
      `rm -rf "${world.directory}/executor"; echo gone >${sign}2; sleep 600`,
    );
    await world.appears(`${sign}2`);
    await world.executor.cancel(handleOf(cancelled), "canceled", 0);
    expect(await world.ended(cancelled)).toMatchObject({ began: true, reason: "canceled" });
  });

  it("refuses a job whose directories cannot be made: one clear sentence", async () => {
    await using world = makeWorld();
    rmSync(`${world.directory}/executor`, { recursive: true });
    writeFileSync(`${world.directory}/executor`, "");
    await expect(world.open()).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining("the workspace could not be made: ENOTDIR"),
    });
    rmSync(`${world.directory}/executor`);
  });

  it("starts nothing below its free space, and says so", async () => {
    await using world = makeWorld({ minFreeBytes: 1_000, freeBytes: async () => 999 });
    expect(await world.executor.unavailableReason()).toMatch(/only 999 bytes are free/);
    await world.restart({ freeBytes: async () => 1_000 });
    expect(await world.executor.unavailableReason()).toBeNull();
    await using real = makeWorld({ minFreeBytes: 1 });
    expect(await real.executor.unavailableReason()).toBeNull();
    await using full = makeWorld({ minFreeBytes: Number.MAX_SAFE_INTEGER });
    expect(await full.executor.unavailableReason()).toMatch(/bytes are free/);
  });
});
