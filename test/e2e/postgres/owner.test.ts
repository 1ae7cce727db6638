import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { type Clock, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { openDatabase } from "../../../src/store/index.ts";
import { eventually } from "../../support/eventually.ts";
import { layoutOf, newDirectory, serverOf, startHere, startHolder, usedDirectory } from "./processes.ts";

interface Mark {
  hostname: string;
  machine_id: string;
  boot_id: string;
  pid_namespace: string;
  heartbeat: string;
}

const elsewhere = {
  hostname: "elsewhere",
  machine_id: "0123456789abcdef0123456789abcdef",
  boot_id: "00000000-0000-4000-8000-000000000000",
  pid_namespace: "pid:[4026532999]",
};

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const markOf = (directory: string): Mark => JSON.parse(readFileSync(layoutOf(directory).ownerFile, "utf8"));
const leave = (directory: string, text: string) => writeFileSync(layoutOf(directory).ownerFile, text);

describe("the mark of the owner", () => {
  it.each([
    ["another machine", {}, 5],
    ["another machine whose clock is ahead", {}, -60],
    ["another container of this machine", { hostname: hostname() }, 29],
  ])("refuses a directory with a fresh sign of %s, and starts nothing", async (_, changes, seconds) => {
    const directory = await usedDirectory();
    leave(directory, JSON.stringify({ ...elsewhere, ...changes, heartbeat: ago(seconds) }));
    await expect(startHere(directory)).rejects.toMatchObject({
      code: "data_dir_unusable",
      message: expect.stringContaining("in use by"),
      remedy: expect.stringContaining("Stop the other one"),
      place: layoutOf(directory).ownerFile,
    });
    expect(serverOf(directory)).toBeUndefined();
    expect(markOf(directory)).toMatchObject({ boot_id: elsewhere.boot_id });
  });

  it("refuses it before the first database is made, too", async () => {
    const directory = await newDirectory();
    leave(directory, JSON.stringify({ ...elsewhere, heartbeat: ago(1) }));
    await expect(startHere(directory)).rejects.toMatchObject({
      message: expect.stringContaining('"elsewhere"'),
    });
  });

  it("is taken over when the other has been silent for longer than 30 seconds", async () => {
    const directory = await usedDirectory();
    leave(directory, JSON.stringify({ ...elsewhere, heartbeat: ago(31) }));
    await using _ = await startHere(directory);
    expect(markOf(directory).hostname).toBe(hostname());
  });

  it("is no obstacle when a crash left it broken", async () => {
    const directory = await usedDirectory();
    const broken = [
      "",
      "{",
      "[]",
      '{"hostname": 1}',
      JSON.stringify({ ...elsewhere, heartbeat: "yesterday" }),
    ];
    for (const text of broken) {
      leave(directory, text);
      await using _ = await startHere(directory);
      expect(markOf(directory).hostname).toBe(hostname());
    }
  });

  it("is no obstacle for a second process of the same machine", async () => {
    const directory = await usedDirectory();
    await using _ = await startHere(directory);
    const second = startHolder(directory);
    expect((await second.answer()).ready?.started).toBe(false);
    expect(await second.tell("stop")).toEqual({ stopped: true });
    expect(markOf(directory).hostname).toBe(hostname());
  });

  it("after a restart of this machine is its own", async () => {
    const directory = await usedDirectory();
    const server = await startHere(directory);
    const mark = markOf(directory);
    await server.stop();
    // What says "this machine" is known on a machine alone: in a container a fresh mark of another boot is refused.
    const machine = mark.machine_id !== "" && mark.pid_namespace === "pid:[4026531836]";
    leave(directory, JSON.stringify({ ...mark, boot_id: elsewhere.boot_id, heartbeat: ago(3) }));
    const again = startHere(directory);
    if (machine) await (await again).stop();
    else await expect(again).rejects.toMatchObject({ code: "data_dir_unusable" });
  });

  it("is renewed while a process uses the directory", async () => {
    const directory = await usedDirectory();
    await using _ = await startHere(directory, { clock: hurried });
    const { heartbeat } = markOf(directory);
    await eventually(() => markOf(directory).heartbeat > heartbeat);
  });

  it("of another machine that appears while we were frozen ends our server at once", async () => {
    const directory = await usedDirectory();
    const server = await startHere(directory, { clock: hurried });
    await using database = openDatabase(server.connection, {
      max: 1,
      applicationName: "test",
      log: silentLogger,
    });
    await database.query("select 1");
    leave(directory, JSON.stringify({ ...elsewhere, heartbeat: ago(0) }));
    await eventually(() => expect(serverOf(directory)).toBeUndefined());
    await expect(database.query("select 1")).rejects.toMatchObject({ code: "database_unavailable" });
    await server.stop();
    expect(serverOf(directory)).toBeUndefined();
    expect(markOf(directory).hostname).toBe("elsewhere");
  });
});

/** Ten seconds pass in twenty milliseconds. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 20), signal) };
