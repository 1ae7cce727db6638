/** Lanes in reserve: a job takes one as if it had been its own from the start. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { attachLane } from "../../../src/executor/local/lane.ts";
import { thisMachine } from "../../../src/executor/local/machine.ts";
import { shimScript } from "../../../src/executor/local/scripts.ts";
import { errorCode, systemClock } from "../../../src/kernel/index.ts";
import { isAlive, makeWorld, type World } from "./world.ts";

const home = (world: World) => join(world.directory, "executor", "spares");

/** The ids of the spares' shims, once so many are ready. */
async function spareShims(world: World, count: number): Promise<string[]> {
  for (;;) {
    const names = existsSync(home(world)) ? readdirSync(home(world)) : [];
    const pids = names.flatMap((name) => {
      const file = join(home(world), name, "pid");
      // Another process may just be writing it.
      const [pid, rest] = existsSync(file) ? readFileSync(file, "utf8").split(" ") : [];
      return pid !== undefined && rest?.endsWith("\n") === true ? [pid] : [];
    });
    if (pids.length === count) return pids;
    await systemClock.sleep(5);
  }
}

const shimOf = (world: World, job: Parameters<World["path"]>[0]) =>
  readFileSync(world.path(job, "lanes", "0", "pid"), "utf8").split(" ")[0];

/** Whether anybody has the FIFO open for reading. */
function isRead(fifo: string): boolean {
  try {
    closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (errorCode(error) === "ENXIO") return false;
    throw error;
  }
}

describe("a lane in reserve", () => {
  it("is taken by a job that opens, runs its steps, and another one takes its place when the job is closed", async () => {
    await using world = makeWorld({ spares: 1 });
    await world.executor.sweep(async () => false);
    const [spare] = await spareShims(world, 1);
    const job = await world.open();
    expect(shimOf(world, job)).toBe(spare);
    expect(await world.run(job, 'echo "$SHIPINATOR_LANE"; pwd')).toMatchObject({
      exitCode: 0,
      log: `${world.path(job, "lanes", "0")}\n${world.path(job, "workspace")}\n`,
    });
    expect(await world.run(job, "exit 3")).toMatchObject({ exitCode: 3 });
    const began = readFileSync(world.path(job, "lanes", "0", "began"), "utf8");
    expect(began.trim().split("\n")).toHaveLength(2);
    // Until then nothing is made that the job's own processes would have to wait for.
    expect(readdirSync(home(world))).toEqual([]);
    await world.executor.close(job);
    expect(isAlive(spare ?? "")).toBe(false);
    expect(await spareShims(world, 1)).not.toEqual([spare]);
  });

  it("keeps its step through a restart of the server; the others end with the server", async () => {
    await using world = makeWorld({ spares: 2 });
    await world.executor.sweep(async () => false);
    await spareShims(world, 2);
    const job = await world.open();
    const spec = await world.submit(job, "echo begun; until [ -e go ]; do sleep 0.01; done; echo over");
    while (world.log(spec) === "") await systemClock.sleep(5);
    const spares = await spareShims(world, 1);
    await world.restart();
    expect(readdirSync(home(world))).toEqual([]);
    expect(spares.map(isAlive)).toEqual([false]);
    writeFileSync(world.path(job, "workspace", "go"), "");
    expect(await world.ended(spec)).toMatchObject({ exitCode: 0, reason: null });
    expect(world.log(spec)).toBe("begun\nover\n");
  });

  it("that has died is not given, and one whose directory was removed neither", async () => {
    await using world = makeWorld({ spares: 2 });
    await world.executor.sweep(async () => false);
    const shims = await spareShims(world, 2);
    const fifos = readdirSync(home(world)).map((name) => join(home(world), name, "live"));
    for (const pid of shims) process.kill(-Number(pid), "SIGKILL");
    while (fifos.some(isRead)) await systemClock.sleep(1);
    const job = await world.open();
    expect(await world.run(job, "echo on")).toMatchObject({ exitCode: 0, log: "on\n" });
    await world.executor.sweep(async () => false);
    await spareShims(world, 2);
    rmSync(home(world), { recursive: true });
    const next = await world.open();
    expect(await world.run(next, "echo on")).toMatchObject({ exitCode: 0, log: "on\n" });
    await world.executor.sweep(async () => false);
    await spareShims(world, 2);
    rmSync(join(world.directory, "executor", "lent"), { recursive: true });
    const inGroup = await world.run(next, "echo together", { parallelGroup: "g" });
    expect(inGroup).toMatchObject({ exitCode: 0, log: "together\n" });
  });

  it("ends by itself when its server is killed, and the next server sweeps what is left", async () => {
    await using world = makeWorld();
    const script = fileURLToPath(new URL("doomed-server.ts", import.meta.url));
    const doomed = spawn(process.execPath, [script, world.directory, "null", "[]"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(doomed.stdout, "data");
    const spares = await spareShims(world, 2);
    doomed.kill("SIGKILL");
    await once(doomed, "exit");
    while (spares.some(isAlive)) await systemClock.sleep(5);
    // It may be another's that is being made.
    await world.executor.sweep(async () => false);
    expect(readdirSync(home(world))).toHaveLength(2);
    const later = { ...systemClock, now: () => new Date(Date.now() + 120_000) };
    await (await world.restart({ clock: later })).sweep(async () => false);
    expect(readdirSync(home(world))).toEqual([]);
  });
});

describe("a lane", () => {
  it("whose server died before the shim had begun has no shim for long", async () => {
    const directory = mkdtempSync(join(tmpdir(), "shipinator-lane-"));
    execFileSync("mkfifo", [`${directory}/live`, `${directory}/hints`]);
    writeFileSync(`${directory}/setup`, ":\n");
    const shim = spawn("/bin/sh", ["-c", shimScript, "shipinator-shim", directory], { stdio: "ignore" });
    expect(await once(shim, "exit")).toEqual([0, null]);
    rmSync(directory, { recursive: true });
  });

  it("whose shim an earlier version started is given steps as that one takes them", () => {
    const directory = mkdtempSync(join(tmpdir(), "shipinator-lane-"));
    const scope = { rung: "session", group: null, memory: null };
    const given = ([name, record]: readonly [string, object]): string => {
      const lane = join(directory, name);
      mkdirSync(lane);
      execFileSync("mkfifo", [`${lane}/live`, `${lane}/hints`]);
      writeFileSync(`${lane}/lane.json`, `${JSON.stringify({ ...thisMachine(), scope, ...record })}\n`);
      const shim = openSync(`${lane}/live`, constants.O_RDWR | constants.O_NONBLOCK);
      const attached = attachLane(lane, { machine: thisMachine(), onEvent() {} });
      expect(attached?.release("step.1")).toBe(true);
      const bytes = Buffer.alloc(4096);
      const text = bytes.toString("utf8", 0, readSync(shim, bytes));
      attached?.detach();
      closeSync(shim);
      return text.replaceAll(directory, "");
    };
    const kinds = [
      ["old", {}],
      ["new", { wire: 2 }],
    ] as const;
    expect(kinds.map(given)).toEqual(["step.1\n", "/new\nstep.1\n"]);
    rmSync(directory, { recursive: true });
  });
});
