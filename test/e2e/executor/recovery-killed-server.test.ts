import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ExecutionSpec, JobSpec } from "../../../src/domain/index.ts";
import { createLocalExecutor } from "../../../src/executor/index.ts";
import { shimScript } from "../../../src/executor/local/worker/scripts.ts";
import { eventually } from "../../support/eventually.ts";
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
    await eventually(() => !isAlive(pid));
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
    // Each word of the worker reaches one of the two.
    for (const executor of [world.executor, other]) {
      await eventually(async () => (await executor.status(handleOf(spec))).state === "ended");
      expect(await executor.status(handleOf(spec))).toMatchObject({ outcome: { exitCode: 6, began: true } });
    }
  });

  it("can go on with the job's next steps, on the same worker or another", async () => {
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
    "goes on where it left a worker half made, of which there is %s",
    async (made) => {
      await using world = makeWorld();
      const job = await world.open();
      const half = () => {
        const worker = world.path(job, "workers", "1");
        mkdirSync(worker);
        if (made !== "nothing yet")
          writeFileSync(
            `${worker}/worker.json`,
            readFileSync(world.path(job, "workers", "0", "worker.json")),
          );
        if (made === "one of its two FIFOs") execFileSync("mkfifo", [`${worker}/live`]);
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
    const [pid = ""] = (await world.appears(world.path(job, "workers", "0", "pid"))).split(" ");
    await eventually(() => !isAlive(pid));
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0 });
  });

  it("whose shim had not begun leaves no shim for long", async () => {
    const directory = mkdtempSync(join(tmpdir(), "shipinator-worker-"));
    execFileSync("mkfifo", [`${directory}/live`, `${directory}/events`]);
    writeFileSync(`${directory}/setup`, ":\n");
    const shim = spawn("/bin/sh", ["-c", shimScript, "shipinator-shim", directory], { stdio: "ignore" });
    expect(await once(shim, "exit")).toEqual([0, null]);
    rmSync(directory, { recursive: true });
  });
});
