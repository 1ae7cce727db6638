import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { JobSpec } from "../../../src/domain/index.ts";
import { handleOf, specOf } from "../../unit/executor/specs.ts";
import { isAlive, makeWorld, type World } from "./world.ts";

describe("not begun is proven by the start lock, never inferred", () => {
  it("takes the start lock of a step that was prepared and not released; then it can never begin", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = specOf(job, "touch began");
    expect(await world.executor.status(handleOf(spec))).toMatchObject({
      state: "ended",
      outcome: { began: false, begunAt: null, reason: "executor_lost", workspaceWhole: true },
    });
    await world.executor.submit(spec); // re-attaches to what was decided
    expect(await world.ended(spec)).toMatchObject({ began: false });
    await world.restart();
    expect(await world.ended(spec)).toMatchObject({ began: false, workspaceWhole: true });
    expect(existsSync(world.path(job, "workspace", "began"))).toBe(false);
  });

  it("a shim that finds its start lock taken starts nothing", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const spec = specOf(job, "touch began");
    writeFileSync(world.path(job, "steps", `${spec.stepId}.1.lock`), "server\n");
    await world.executor.submit(spec);
    expect(await world.ended(spec)).toMatchObject({ began: false, reason: "executor_lost" });
    expect(await world.run(job, "ls")).toMatchObject({ log: "README\n" });
  });

  it("another attempt at the step has a start lock of its own", async () => {
    await using world = makeWorld();
    const job = await world.open();
    const first = specOf(job, "echo first");
    await world.executor.status(handleOf(first));
    const second = { ...specOf(job, "echo second"), stepId: first.stepId, attempt: 2 };
    await world.executor.submit(second);
    expect(await world.ended(second)).toMatchObject({ began: true, exitCode: 0 });
    expect(world.log(second)).toBe("second\n");
  });

  it("does not take a start lock that a step deleted while it ran", async () => {
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
    const file = world.path(job, "workers", "0", "worker.json");
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
    for (const worker of readdirSync(world.path(job, "workers"))) {
      const file = world.path(job, "workers", worker, "worker.json");
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
