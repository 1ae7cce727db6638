import { spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/kernel/index.ts";
import { openDatabase } from "../../../src/store/index.ts";
import { eventually } from "../../support/eventually.ts";
import {
  isRoot,
  layoutOf,
  newDirectory,
  serverOf,
  startHere,
  startHolder,
  usedDirectory,
} from "./processes.ts";

/** Ends the server as the kernel's out-of-memory killer would. */
function killServer(directory: string): number {
  const pid = serverOf(directory);
  if (pid === undefined) throw new Error("no server runs");
  process.kill(pid, "SIGKILL");
  return pid;
}

describe("after a kill -9", () => {
  it("of the process, the server lives on and the next process adopts and stops it", async () => {
    const directory = await usedDirectory();
    const killed = startHolder(directory);
    const { ready } = await killed.answer();
    await killed.tell("row");
    await killed.kill();
    expect(serverOf(directory)).toBe(ready?.pid);
    const next = startHolder(directory);
    expect((await next.answer()).ready).toMatchObject({ pid: ready?.pid, started: false });
    expect(await next.tell("row")).toEqual({ rows: 2 });
    expect(await next.tell("stop")).toEqual({ stopped: true });
    expect(serverOf(directory)).toBeUndefined();
  });

  it("of one process, another one that leaves is the last", async () => {
    const directory = await usedDirectory();
    const [killed, other] = [startHolder(directory), startHolder(directory)];
    await Promise.all([killed.answer(), other.answer()]);
    await killed.kill();
    expect(await other.tell("row")).toEqual({ rows: 1 });
    expect(await other.tell("stop")).toEqual({ stopped: true });
    expect(serverOf(directory)).toBeUndefined();
  });

  it("of process and server, the next start recovers what was committed", async () => {
    const directory = await usedDirectory();
    const holder = startHolder(directory);
    await holder.answer();
    expect(await holder.tell("row")).toEqual({ rows: 1 });
    await holder.kill();
    killServer(directory);
    const [one, two] = [startHolder(directory), startHolder(directory)];
    const [first, second] = [await one.answer(), await two.answer()];
    expect(first.ready?.pid).toBeGreaterThan(0);
    expect(second.ready?.pid).toBe(first.ready?.pid);
    expect(await one.tell("row")).toEqual({ rows: 2 });
  });

  it("of the server alone, a process that uses it starts it again, and its pool works on", async () => {
    const directory = await usedDirectory();
    await using server = await startHere(directory);
    await using database = openDatabase(server.connection, {
      max: 2,
      applicationName: "test",
      log: silentLogger,
    });
    await database.execute("create table kept (id int)");
    const killed = killServer(directory);
    const ask = async (sql: string): Promise<unknown> => {
      try {
        return await database.query(sql);
      } catch (error) {
        expect(error).toMatchObject({ code: "database_unavailable" });
        return null;
      }
    };
    // A session may answer once more before it notices that its server is dead.
    await eventually(async () => {
      await ask("select 1");
      return ![killed, undefined].includes(serverOf(directory));
    });
    const rows = await eventually(async () => (await ask("select count(*) as count from kept")) ?? false);
    expect(rows).toEqual([{ count: 0 }]);
    await database.close();
    await server.stop();
    expect(serverOf(directory)).toBeUndefined();
  });

  it("of the server under several processes, they agree on one new server", async () => {
    const directory = await usedDirectory();
    const holders = Array.from({ length: 3 }, () => startHolder(directory));
    await Promise.all(holders.map((holder) => holder.answer()));
    const killed = killServer(directory);
    const next = startHolder(directory);
    expect((await next.answer()).ready?.pid).not.toBe(killed);
    const ends = await Promise.all([...holders, next].map((holder) => holder.tell("stop")));
    expect(ends).toEqual([...holders, next].map(() => ({ stopped: true })));
    expect(serverOf(directory)).toBeUndefined();
  });

  it("of a process at any moment of its first start, the next one comes up and nothing is left over", async () => {
    const directory = await newDirectory();
    for (const ms of [90, 150, 250, 400, 600, 800, 1000]) {
      const killed = startHolder(directory);
      await delay(ms);
      await killed.kill();
    }
    const next = startHolder(directory);
    expect((await next.answer()).ready?.pid).toBeGreaterThan(0);
    expect(await next.tell("row")).toEqual({ rows: 1 });
    expect(await next.tell("stop")).toEqual({ stopped: true });
    const again = startHolder(directory);
    await again.answer();
    // Where the account cannot reach the checkout, a copy of the binaries lies there too.
    const kept = readdirSync(join(directory, "postgres")).filter((name) => !name.startsWith("bin-"));
    expect(kept.sort()).toEqual(["data", "postgres.log", "socket"]);
    expect(await again.tell("stop")).toEqual({ stopped: true });
    expect(serverOf(directory)).toBeUndefined();
  });
});

describe("what a dead server leaves behind", () => {
  it.each(["of a live process", "of nobody", "that makes no sense"])(
    "does not keep the next one from starting: a lock file with a pid %s",
    async (whose) => {
      const directory = await usedDirectory();
      const holder = startHolder(directory);
      await holder.answer();
      const lock = join(layoutOf(directory).data, "postmaster.pid");
      const socket = join(directory, "postgres/socket/.s.PGSQL.5432");
      const [lockText, socketText] = [readFileSync(lock, "utf8"), readFileSync(`${socket}.lock`, "utf8")];
      const owner = statSync(lock);
      await holder.kill();
      killServer(directory);
      await eventually(() => expect(serverOf(directory)).toBeUndefined());

      // Under the same account, for that is the case in which Postgres itself gives up.
      const identity = isRoot ? { uid: owner.uid, gid: owner.gid } : {};
      const bystander = spawn("sleep", ["600"], { ...identity, cwd: "/", stdio: "ignore" });
      await using _ = { [Symbol.asyncDispose]: () => end(bystander) };
      const pid = { "of a live process": String(bystander.pid), "of nobody": "4194303" }[whose] ?? "what?";
      for (const [file, text] of [
        [lock, lockText],
        [`${socket}.lock`, socketText],
      ] as const) {
        writeFileSync(file, text.replace(/^\d+/, pid));
        chownSync(file, owner.uid, owner.gid);
      }
      const next = startHolder(directory);
      expect((await next.answer()).ready?.started).toBe(true);
      expect(bystander.exitCode).toBeNull();
      expect(await next.tell("stop")).toEqual({ stopped: true });
      expect(bystander.signalCode).toBeNull();
    },
  );
});

async function end(child: ReturnType<typeof spawn>): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}
