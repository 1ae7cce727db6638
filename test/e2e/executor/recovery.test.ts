import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ExecutionSpec, JobSpec } from "../../../src/domain/index.ts";
import { createLocalExecutor, type LocalExecutorOptions } from "../../../src/executor/index.ts";
import { systemClock } from "../../../src/kernel/index.ts";
import { handleOf, jobOf, specOf } from "../../unit/executor/specs.ts";
import { isAlive, makeWorld, optionsIn, type World } from "./world.ts";

/** Another server on the world's directory gets the steps to their submit and dies by SIGKILL. */
async function dieAfterSubmit(
  world: World,
  job: JobSpec,
  specs: readonly ExecutionSpec[],
  until?: () => Promise<unknown>,
) {
  const script = fileURLToPath(new URL("doomed-server.ts", import.meta.url));
  const server = spawn(
    process.execPath,
    [script, world.directory, JSON.stringify(job), JSON.stringify(specs)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await once(server.stdout, "data");
  await until?.();
  server.kill("SIGKILL");
  await once(server, "exit");
}

const untilGo = "echo $$ >pid; until [ -e go ]; do sleep 0.01; done; echo went; exit 6";

describe("a server that was killed", () => {
  it("finds the running step again, by its own shim, and its end", async () => {
    await using world = makeWorld();
    const job = jobOf();
    const spec = specOf(job, untilGo);
    await dieAfterSubmit(world, job, [spec], () => world.appears(world.path(job, "workspace", "pid")));
    expect(await world.executor.status(handleOf(spec))).toMatchObject({
      state: "begun",
      begunAt: expect.any(Date),
    });
    writeFileSync(world.path(job, "workspace", "go"), "");
    expect(await world.ended(spec)).toMatchObject({ began: true, exitCode: 6, reason: "script_failed" });
    expect(world.log(spec)).toBe("went\n");
  });

  it("finds the end of a step that ended meanwhile", async () => {
    await using world = makeWorld();
    const job = jobOf();
    const spec = specOf(job, untilGo);
    await dieAfterSubmit(world, job, [spec], () => world.appears(world.path(job, "workspace", "pid")));
    const pid = readFileSync(world.path(job, "workspace", "pid"), "utf8");
    writeFileSync(world.path(job, "workspace", "go"), "");
    while (isAlive(pid)) await systemClock.sleep(5);
    expect(await world.ended(spec)).toMatchObject({ began: true, exitCode: 6 });
    expect(world.log(spec)).toBe("went\n");
  });

  it("tells the end though another process that listens has heard of it", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = await world.submit(job, untilGo);
    await world.appears(world.path(job, "workspace", "pid"));
    await using other = createLocalExecutor(optionsIn(world.directory));
    expect(await other.status(handleOf(spec))).toMatchObject({ state: "begun" });
    writeFileSync(world.path(job, "workspace", "go"), "");
    // Each word of the lane reaches one of the two.
    for (const executor of [world.executor, other]) {
      while ((await executor.status(handleOf(spec))).state !== "ended") await systemClock.sleep(5);
      expect(await executor.status(handleOf(spec))).toMatchObject({ outcome: { exitCode: 6, began: true } });
    }
  });

  it("can go on with the job's next steps, on the same lane or another", async () => {
    await using world = makeWorld();
    const job = jobOf();
    const spec = specOf(job, untilGo);
    await dieAfterSubmit(world, job, [spec], () => world.appears(world.path(job, "workspace", "pid")));
    await world.executor.open(job);
    await world.executor.status(handleOf(spec));
    expect(await world.run(job, "echo beside", { parallelGroup: "g" })).toMatchObject({
      exitCode: 0,
      log: "beside\n",
    });
    writeFileSync(world.path(job, "workspace", "go"), "");
    await world.ended(spec);
    expect(await world.run(job, "echo after")).toMatchObject({ exitCode: 0, log: "after\n" });
  });

  it.each(["nothing yet", "its record", "one of its two FIFOs"])(
    "goes on where it left a lane half made, of which there is %s",
    async (made) => {
      await using world = makeWorld();
      const job = await world.open();
      const half = () => {
        const lane = world.path(job, "lanes", "1");
        mkdirSync(lane);
        if (made !== "nothing yet")
          writeFileSync(`${lane}/lane.json`, readFileSync(world.path(job, "lanes", "0", "lane.json")));
        if (made === "one of its two FIFOs") execFileSync("mkfifo", [`${lane}/live`]);
      };
      half();
      await world.restart();
      expect(await world.run(job, "echo goes on")).toMatchObject({ exitCode: 0, log: "goes on\n" });
      await world.executor.close(job);
      // The same in an opening that was cut short, which begins anew.
      await world.executor.open(job);
      rmSync(world.path(job, "job.json"));
      half();
      await world.restart();
      await world.executor.open(job);
      expect(await world.run(job, "echo anew", { attempt: 2 })).toMatchObject({ exitCode: 0 });
    },
  );

  it("finds what a step left in the background, and ends it with the job", async () => {
    await using world = makeWorld();
    const job = jobOf();
    const spec = specOf(job, "setsid -f sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1");
    await dieAfterSubmit(world, job, [spec], () => world.appears(world.path(job, "workspace", "pid")));
    await world.ended(spec);
    const pid = readFileSync(world.path(job, "workspace", "pid"), "utf8");
    expect(isAlive(pid)).toBe(true);
    await world.executor.close(job);
    expect(isAlive(pid)).toBe(false);
  });

  it("goes on with a timeout from the step's begin", async () => {
    await using world = makeWorld();
    const job = jobOf();
    const spec = specOf(job, "echo $$ >pid; sleep 600", { timeoutSeconds: 1 });
    await dieAfterSubmit(world, job, [spec], () => world.appears(world.path(job, "workspace", "pid")));
    await world.executor.status(handleOf(spec));
    expect(await world.ended(spec)).toMatchObject({
      began: true,
      reason: "timed_out",
      message: expect.stringContaining("timeout of 1 s"),
    });
  });

  it("goes on with a cancel that it had begun, to the same cause", async () => {
    await using world = makeWorld();
    const job = jobOf();
    const spec = specOf(job, "echo $$ >pid; sleep 600");
    await dieAfterSubmit(world, job, [spec], () => world.appears(world.path(job, "workspace", "pid")));
    writeFileSync(world.path(job, "steps", `${spec.stepId}.1.cancel`), "timed_out\n");
    await world.executor.status(handleOf(spec));
    expect(await world.ended(spec)).toMatchObject({ began: true, reason: "timed_out" });
    expect(isAlive(readFileSync(world.path(job, "workspace", "pid"), "utf8"))).toBe(false);
  });

  it("leaves no shim behind: an idle one ends by itself", async () => {
    await using world = makeWorld();
    const job = jobOf();
    const spec = specOf(job, ":");
    await dieAfterSubmit(world, job, [spec]);
    const [pid = ""] = (await world.appears(world.path(job, "lanes", "0", "pid"))).split(" ");
    while (isAlive(pid)) await systemClock.sleep(5);
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0 });
  });
});

describe("not begun is proven by the gate, never inferred", () => {
  it("takes the gate of a step that was prepared and not released; then it can never begin", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = specOf(job, "touch began");
    expect(await world.executor.status(handleOf(spec))).toMatchObject({
      state: "ended",
      outcome: { began: false, begunAt: null, reason: "executor_lost", workspaceWhole: true },
    });
    await world.executor.submit(spec); // adopts what was decided
    expect(await world.ended(spec)).toMatchObject({ began: false });
    await world.restart();
    expect(await world.ended(spec)).toMatchObject({ began: false, workspaceWhole: true });
    expect(existsSync(world.path(job, "workspace", "began"))).toBe(false);
  });

  it("a shim that finds its gate taken starts nothing", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = specOf(job, "touch began");
    writeFileSync(world.path(job, "steps", `${spec.stepId}.1.gate`), "server\n");
    await world.executor.submit(spec);
    expect(await world.ended(spec)).toMatchObject({ began: false, reason: "executor_lost" });
    expect(await world.run(job, "ls")).toMatchObject({ log: "README\n" });
  });

  it("another attempt at the step has a gate of its own", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const first = specOf(job, "echo first");
    await world.executor.status(handleOf(first));
    const second = { ...specOf(job, "echo second"), stepId: first.stepId, attempt: 2 };
    await world.executor.submit(second);
    expect(await world.ended(second)).toMatchObject({ began: true, exitCode: 0 });
    expect(world.log(second)).toBe("second\n");
  });

  it("does not take a gate that a step deleted while it ran", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = await world.submit(
      job,
      'rm -f "$TMPDIR"/../steps/*; echo gone >sign; until [ -e go ]; do sleep 0.01; done',
    );
    await world.appears(world.path(job, "workspace", "sign"));
    await world.restart();
    expect(await world.executor.status(handleOf(spec))).toMatchObject({ state: "begun" });
    writeFileSync(world.path(job, "workspace", "go"), "");
    expect(await world.ended(spec)).toMatchObject({ began: true });
  });

  it("a directory that vanished is a lost executor, whose step may have begun", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = await world.submit(
      job,
      'setsid -f sh -c "echo \\$\\$ >pid; exec sleep 600" >/dev/null 2>&1',
    );
    await world.ended(spec);
    const pid = await world.appears(world.path(job, "workspace", "pid"));
    await world.restart();
    rmSync(world.path(job), { recursive: true });
    expect(await world.executor.status(handleOf(spec))).toMatchObject({
      outcome: {
        began: true,
        reason: "executor_lost",
        workspaceWhole: false,
        message: expect.stringContaining("vanished"),
      },
    });
    await expect(world.executor.open(job)).rejects.toMatchObject({
      code: "executor_failed",
      message: expect.stringContaining("vanished"),
    });
    expect(isAlive(pid)).toBe(true);
    await world.executor.close(job);
    expect(isAlive(pid)).toBe(false);
    expect(await world.executor.status(handleOf(spec))).toEqual({ state: "unknown" });
  });

  it.each(["before its directory was made", "while its workspace was made", "before its mark was complete"])(
    "an opening that was cut short %s begins anew, or goes on",
    async (when) => {
      await using world = makeWorld();
      const job = await world.open();
      await world.executor.close(job);
      const mark = `${world.directory}/executor/opened/${job.jobId}.${job.attempt}`;
      if (when !== "before its mark was complete") {
        writeFileSync(mark, "");
        if (when === "while its workspace was made") {
          mkdirSync(world.path(job, "workspace"), { recursive: true });
          writeFileSync(world.path(job, "workspace", "half"), "");
        }
      } else {
        await world.executor.open(job);
        writeFileSync(mark, "");
      }
      await world.restart();
      expect(await world.executor.status(handleOf(specOf(job, ":")))).not.toMatchObject({
        outcome: { began: true },
      });
      await world.executor.open(job);
      expect(await world.run(job, "ls")).toMatchObject({ log: "README\n" });
      rmSync(world.path(job), { recursive: true });
      await world.restart();
      await expect(world.executor.open(job)).rejects.toThrow(/vanished/);
    },
  );
});

describe("a machine that was restarted", () => {
  it("or a pid namespace that is another: it signals nobody, and says where to go", async () => {
    const signaled: number[] = [];
    await using world = makeWorld({ kill: (pid) => void signaled.push(pid) });
    const job = await world.open();
    await world.ended(await world.submit(job, ":"));
    const file = world.path(job, "lanes", "0", "lane.json");
    const record = readFileSync(file, "utf8");
    writeFileSync(file, record.replace(/pid:\[\d+\]/, "pid:[1]"));
    await world.restart();
    await expect(world.executor.close(job)).rejects.toThrow(/another pid namespace/);
    expect(signaled).toEqual([]);
    writeFileSync(file, record);
    await world.restart();
  });

  async function rebooted(world: World, job: JobSpec) {
    const record = world.path(job, "job.json");
    writeFileSync(record, readFileSync(record, "utf8").replace(/"bootId":"[^"]+"/, '"bootId":"another"'));
    for (const lane of readdirSync(world.path(job, "lanes"))) {
      const file = world.path(job, "lanes", lane, "lane.json");
      writeFileSync(file, readFileSync(file, "utf8").replace(/"bootId":"[^"]+"/, '"bootId":"another"'));
    }
    await world.restart();
  }

  it("loses what had begun, even what seemed to have ended, and proves what had not", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const done = await world.submit(job, ":");
    await world.ended(done);
    await rebooted(world, job);
    expect(await world.ended(done)).toMatchObject({ began: true, exitCode: null, reason: "executor_lost" });
    expect(await world.ended(specOf(job, ":"))).toMatchObject({ began: false, workspaceWhole: false });
    await expect(world.executor.open(job)).rejects.toThrow(/machine was restarted/);
  });

  it("signals nobody: the numbers of that boot name other processes now", async () => {
    const signaled: number[] = [];
    await using world = makeWorld({ kill: (pid) => void signaled.push(pid) });
    const job = await world.open();
    await world.ended(await world.submit(job, ":"));
    await rebooted(world, job);
    await world.executor.close(job);
    expect(signaled).toEqual([]);
    expect(existsSync(world.path(job))).toBe(false);
  });
});

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
    expect(make({ rungs: [], directory: `${tmpdir()}/shipinator-none-${process.pid}` })).toThrow(
      /none of the ways to end processes/,
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
    // The lane's word may come a moment after the step's sign.
    while ((await world.executor.status(handleOf(spec))).state === "waiting") await systemClock.sleep(5);
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
    expect(await world.executor.refusal()).toMatch(/only 999 bytes are free/);
    await world.restart({ freeBytes: async () => 1_000 });
    expect(await world.executor.refusal()).toBeNull();
    await using real = makeWorld({ minFreeBytes: 1 });
    expect(await real.executor.refusal()).toBeNull();
    await using full = makeWorld({ minFreeBytes: Number.MAX_SAFE_INTEGER });
    expect(await full.executor.refusal()).toMatch(/bytes are free/);
  });
});
