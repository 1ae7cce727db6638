/** What only control groups can do: needs root and a machine that has them. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ExecutionSpec, JobSpec } from "../../../src/domain/index.ts";
import { silentLogger, systemClock, thisMachine } from "../../../src/kernel/index.ts";
import { isAlive, makeWorld, type World } from "../../e2e/executor/world.ts";
import { eventually } from "../../support/eventually.ts";
import { handleOf } from "../../unit/executor/specs.ts";

/** Leaves its session, clears its environment, ignores what can be ignored, and multiplies. */
const escapes = `trap '' TERM
setsid -f env -i /bin/sh -c 'trap "" TERM HUP INT; echo $$ >>pids; while :; do sleep 600; done' >/dev/null 2>&1
setsid -f env -i /bin/sh -c 'trap "" TERM HUP INT; while :; do sleep 0.01 & wait; done' >/dev/null 2>&1
echo $$ >>pids
until [ "$(wc -l <pids)" -ge 2 ]; do sleep 0.01; done; echo ready >ready
while :; do sleep 600; done`;

const groupOf = (world: World, job: JobSpec): string =>
  JSON.parse(readFileSync(world.path(job, "workers", "0", "worker.json"), "utf8")).scope.group;

/** What was begun is the last file that a shim opens before its FIFOs, and only there it sleeps. */
const waitsAtFifo = (shim: number, worker: string): boolean =>
  fileAt(shim, 7) === `${worker}/began` && / S /.test(readFileSync(`/proc/${shim}/stat`, "utf8"));

function fileAt(pid: number, fd: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return null; // not open yet
  }
}

describe.each(["cgroup", "freezer"] as const)("the strategy %s", (strategy) => {
  it("is found by the probe", async () => {
    await using world = makeWorld({ strategies: [strategy] });
    expect(world.executor.strategy).toBe(strategy);
  });

  it("leaves no survivor: neither own sessions nor cleared environments escape, and the group is gone", async () => {
    await using world = makeWorld({ strategies: [strategy] });
    const job = await world.open();
    const spec = await world.submit(job, escapes);
    await world.appears(world.path(job, "workspace", "ready"));
    const group = groupOf(world, job);
    await world.executor.cancel(handleOf(spec), "canceled", 0);
    expect(await world.ended(spec)).toMatchObject({
      began: true,
      exitCode: null,
      reason: "canceled",
      killedBy: strategy,
    });
    const pids = readFileSync(world.path(job, "workspace", "pids"), "utf8")
      .trim()
      .split("\n");
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(existsSync(group)).toBe(false);
  });

  it("ends at the close of the job what a finished step left, however it hid", async () => {
    await using world = makeWorld({ strategies: [strategy] });
    const job = await world.open();
    await world.run(
      job,
      "setsid -f env -i /bin/sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1; until [ -s pid ]; do sleep 0.01; done",
    );
    const pid = readFileSync(world.path(job, "workspace", "pid"), "utf8");
    const group = groupOf(world, job);
    expect(isAlive(pid)).toBe(true);
    await world.executor.close(job);
    expect([isAlive(pid), existsSync(group)]).toEqual([false, false]);
  });

  it("ends what a step left whose supervisor it killed", async () => {
    await using world = makeWorld({ strategies: [strategy] });
    const job = await world.open();
    const outcome = await world.run(
      job,
      "setsid -f sh -c 'echo $$ >pid; exec sleep 600'; until [ -s pid ]; do sleep 0.01; done; kill -9 0",
    );
    expect(outcome).toMatchObject({ reason: "executor_lost", killedBy: strategy });
    expect(isAlive(readFileSync(world.path(job, "workspace", "pid"), "utf8"))).toBe(false);
  });

  it("ends groups that the step made below its own", async () => {
    await using world = makeWorld({ strategies: [strategy] });
    const job = await world.open();
    const group = groupOf(world, job);
    const spec = await world.submit(
      job,
      `mkdir ${group}/a ${group}/a/b; sh -c 'echo $$ >${group}/a/b/cgroup.procs; trap "" TERM; echo $$ >pid; while :; do sleep 600; done'`,
    );
    const pid = await world.appears(world.path(job, "workspace", "pid"));
    await world.executor.cancel(handleOf(spec), "timed_out", 0);
    expect([isAlive(pid), existsSync(group)]).toEqual([false, false]);
  });

  it("ends a shim of an earlier version that its server died before hearing, which has joined no group yet", async () => {
    await using world = makeWorld({ strategies: [strategy] });
    const job = await world.open();
    const worker = world.path(job, "workers", "1");
    const group = `${groupOf(world, job)}-unheard`;
    mkdirSync(worker);
    mkdirSync(group);
    writeFileSync(
      `${worker}/worker.json`,
      `${JSON.stringify({ ...thisMachine(), scope: { strategy, group, memory: null } })}\n`,
    );
    writeFileSync(`${worker}/setup`, `echo "$$" >'${group}/cgroup.procs'\n`);
    execFileSync("mkfifo", [`${worker}/live`, `${worker}/events`]);
    // It opened one direction alone, and so waited for whoever opens the other.
    const shim = spawn("/bin/sh", ["-c", 'exec 7>>"$1/began" 8>"$1/events"', "shipinator-shim", worker], {
      detached: true,
      env: { PATH: "/usr/bin:/bin", SHIPINATOR_WORKER: worker },
      stdio: "ignore",
    });
    const gone = once(shim, "exit");
    await eventually(() => waitsAtFifo(shim.pid ?? 0, worker));
    await world.restart();
    expect(await world.run(job, "echo goes on")).toMatchObject({ exitCode: 0, log: "goes on\n" });
    await world.executor.close(job);
    await gone;
    expect(existsSync(group)).toBe(false);
  });

  it("works after a restart", async () => {
    await using world = makeWorld({ strategies: [strategy] });
    const job = await world.open();
    const spec = await world.submit(job, escapes);
    await world.appears(world.path(job, "workspace", "ready"));
    await world.restart({ strategies: ["session"] }); // the worker keeps the strategy that it was started with
    await world.executor.cancel(handleOf(spec), "canceled", 0);
    expect(await world.ended(spec)).toMatchObject({ reason: "canceled", killedBy: strategy });
  });
});

describe("the containment", () => {
  it("takes the surest strategy that works here", async () => {
    await using world = makeWorld({ strategies: ["cgroup", "freezer", "session"] });
    expect(world.executor.strategy).toBe("cgroup");
  });
});

describe("memory", () => {
  it("a step that outgrows its limit is out_of_memory; the next one is judged for itself", async () => {
    await using world = makeWorld({ strategies: ["cgroup"], memoryLimitBytes: 32 * 1024 * 1024 });
    const job = await world.open();
    const outcome = await world.run(job, "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c; exit 1");
    expect(outcome).toMatchObject({ began: true, reason: "out_of_memory" });
    expect(outcome.message).toContain("for want of memory");
    expect(await world.run(job, "exit 1")).toMatchObject({ reason: "script_failed" });
  });
});

describe("a full disk", () => {
  async function onSmallDisk(use: (disk: string, world: World) => Promise<void>) {
    await using world = makeWorld({ strategies: ["cgroup"] });
    const disk = join(world.directory, "disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
    try {
      await world.restart({ logFile: (id) => join(disk, `${id}.log`) });
      await use(disk, world);
    } finally {
      execFileSync("umount", [disk]);
    }
  }

  it("under the log: the step goes on to its own end, and the outcome says what happened to the log", async () => {
    await onSmallDisk(async (_disk, world) => {
      const job = await world.open();
      const outcome = await world.run(job, "head -c 20000000 /dev/zero; touch reached; exit 3");
      expect(outcome).toMatchObject({ exitCode: 3, reason: "script_failed" });
      expect(outcome.message).toContain("the disk refused a part of the log");
      expect(outcome.logBytes).toBeGreaterThan(3_000_000);
      expect(existsSync(world.path(job, "workspace", "reached"))).toBe(true);
    });
  });

  it.each([
    ["a plain step", {}],
    ["a step with secrets", { secrets: ["TOKEN"] }],
  ])("under log and step: %s that exits with 0 fails, for its log is not whole", async (_, over) => {
    await using outer = makeWorld({ strategies: ["cgroup"] });
    const disk = join(outer.directory, "disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
    const logFile = (id: string) => join(disk, `${id}.log`);
    const world = makeWorld({ strategies: ["cgroup"], directory: join(disk, "executor"), logFile });
    try {
      const { jobOf, specOf } = await import("../../unit/executor/specs.ts");
      const job = jobOf();
      await world.executor.open(job);
      const fileOf = (spec: ExecutionSpec) =>
        readFileSync(join(disk, "executor", `${job.jobId}.1`, "steps", `${spec.stepId}.1`), "utf8");
      async function run(padding: string) {
        const command = `head -c 20000000 /dev/zero; touch reached; : ${padding}`;
        const spec = specOf(job, command, over);
        await world.executor.submit(spec);
        const outcome = await world.ended(spec);
        rmSync(logFile(spec.executionId));
        return { spec, outcome };
      }
      // The disk gives pages: what is appended to a file whose last one is full needs another one.
      const page = 4096;
      const written = fileOf((await run("")).spec).indexOf("#end\n") + "#end\n".length;
      const { spec, outcome } = await run("x".repeat(page - (written % page)));
      expect(fileOf(spec).split("#end\n")).toEqual([expect.any(String), ""]);
      expect(outcome).toMatchObject({ began: true, exitCode: 0, reason: "internal" });
      expect(outcome.message).toContain("the disk refused a part of the log");
      expect(existsSync(join(disk, "executor", `${job.jobId}.1`, "workspace", "reached"))).toBe(true);
      await world.executor.close(job);
    } finally {
      await world[Symbol.asyncDispose]();
      execFileSync("umount", [disk]);
    }
  });

  it("under everything: what ran ends with its true status, what is new is refused clearly, and room heals it", async () => {
    await using outer = makeWorld({ strategies: ["cgroup"] });
    const disk = join(outer.directory, "disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
    const world = makeWorld({ strategies: ["cgroup"], directory: join(disk, "executor"), log: silentLogger });
    try {
      const { jobOf, specOf } = await import("../../unit/executor/specs.ts");
      const job = jobOf();
      await world.executor.open(job);
      expect(await world.run(job, "cat /dev/zero >fill; exit 3")).toMatchObject({
        exitCode: expect.any(Number),
        reason: "script_failed",
      });
      const next = specOf(job, "echo next");
      await expect(world.executor.submit(next)).rejects.toMatchObject({
        code: "storage_failed",
        message: expect.stringContaining("ENOSPC"),
      });
      expect(readdirSync(join(disk, "executor", `${job.jobId}.1`, "workspace"))).toContain("fill");
      rmSync(join(disk, "executor", `${job.jobId}.1`, "workspace", "fill"));
      expect(await world.run(job, "echo next")).toMatchObject({ exitCode: 0, log: "next\n" });
      await world.executor.close(job);
    } finally {
      await world[Symbol.asyncDispose]();
      await systemClock.sleep(0);
      execFileSync("umount", [disk]);
    }
  });
});
