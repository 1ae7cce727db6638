import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { chown } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { stopPostmaster } from "../../../src/postgres/postmaster.ts";
import { openDatabase } from "../../../src/store/index.ts";
import { thisProcess } from "../../support/postgres-server.ts";
import {
  isRoot,
  layoutOf,
  newDirectory,
  ordinaryAccount,
  serverOf,
  startHere,
  startHolder,
  usedDirectory,
} from "./processes.ts";

const ordinary = ordinaryAccount();
const identities = [
  { who: "this user", as: undefined },
  ...(ordinary === undefined ? [] : [{ who: "an ordinary user", as: ordinary }]),
];

function open(connection: Parameters<typeof openDatabase>[0]) {
  return openDatabase(connection, { max: 2, applicationName: "test", log: silentLogger });
}

describe.each(identities)("a process of $who", ({ as }) => {
  it("makes the database, stops it, and finds its rows the next time", async () => {
    const directory = await newDirectory();
    if (as !== undefined) await chown(directory, as.uid, as.gid);
    const options = as === undefined ? {} : { as };
    for (const rows of [1, 2]) {
      const holder = startHolder(directory, options);
      expect((await holder.answer()).ready?.started).toBe(true);
      expect(await holder.tell("row")).toEqual({ rows });
      expect(await holder.tell("stop")).toEqual({ stopped: true });
      expect(serverOf(directory)).toBeUndefined();
    }
    // Where the account cannot reach the checkout, a copy of the binaries lies there too.
    const kept = readdirSync(join(directory, "postgres")).filter((name) => !name.startsWith("bin-"));
    expect(kept.sort()).toEqual(["data", "postgres.log", "socket"]);
    expect(readdirSync(join(directory, "postgres/socket"))).toEqual([]);
    expect(existsSync(join(directory, "owner.json"))).toBe(false);
  });
});

describe("the embedded server", () => {
  it("is durable, private, encrypted in its passwords and closed to the network", async () => {
    const directory = await usedDirectory();
    await using server = await startHere(directory);
    await using database = open(server.connection);
    const setting = async (name: string) =>
      (await database.query<{ value: string }>("select current_setting($1::text) as value", [name]))[0]
        ?.value;
    expect(await setting("fsync")).toBe("on");
    expect(await setting("synchronous_commit")).toBe("on");
    expect(await setting("full_page_writes")).toBe("on");
    expect(await setting("data_checksums")).toBe("on");
    expect(await setting("server_encoding")).toBe("UTF8");
    expect(
      await database.query("select datcollate from pg_database where datname = current_database()"),
    ).toEqual([{ datcollate: "C" }]);
    expect(await setting("listen_addresses")).toBe("");
    const rules = await database.query<{ method: string }>(
      "select distinct auth_method as method from pg_hba_file_rules",
    );
    expect(rules).toEqual([{ method: "scram-sha-256" }]);
    const { data } = layoutOf(directory);
    expect(statSync(join(data, "password")).mode & 0o777).toBe(0o600);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(statSync(server.connection.host).mode & 0o777).toBe(0o700);
    expect(statSync(data).uid === 0).toBe(false);
    expect(statSync(server.connection.host).uid).toBe(server.facts.account.uid);
  });

  it("refuses a wrong password, in words for a person", async () => {
    await using server = await startHere(await usedDirectory());
    await using database = open({ ...server.connection, password: "wrong" });
    await expect(database.query("select 1")).rejects.toMatchObject({
      code: "database_unavailable",
      remedy: expect.stringContaining("SHIPINATOR_DB_PASSWORD"),
    });
  });

  it("lives in a session of its own and gets nothing of our environment", async () => {
    process.env.SHIPINATOR_TEST_MARK = "must not be handed on";
    process.env.PGOPTIONS = "-c work_mem=123kB";
    await using stack = new AsyncDisposableStack();
    stack.defer(() => {
      delete process.env.SHIPINATOR_TEST_MARK;
      delete process.env.PGOPTIONS;
    });
    const server = stack.use(await startHere(await usedDirectory()));
    const database = stack.use(open(server.connection));
    await database.execute("create table environment (line text)");
    await database.execute("copy environment from program 'env'");
    const lines = await database.query<{ line: string }>("select line from environment");
    const names = lines.map(({ line }) => line.split("=")[0] ?? "");
    expect(names).toContain("TZ");
    expect(names.filter((name) => /SHIPINATOR|HOME|NODE|VITEST|PGOPTIONS/.test(name))).toEqual([]);
    const work = await database.query<{ value: string }>("select current_setting('work_mem') as value");
    expect(work).toEqual([{ value: "4MB" }]);
    if (existsSync("/proc/self/stat")) {
      const session = readFileSync(`/proc/${server.facts.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3];
      expect(Number(session)).toBe(server.facts.pid);
    }
  });

  it("stops once, however often it is asked, also while somebody is still connected", async () => {
    const directory = await usedDirectory();
    const server = await startHere(directory);
    await using database = open(server.connection);
    await database.query("select 1");
    await Promise.all([server.stop(), server.stop(), server[Symbol.asyncDispose]()]);
    await server.stop();
    expect(serverOf(directory)).toBeUndefined();
    await expect(database.query("select 1")).rejects.toMatchObject({ code: "database_unavailable" });
  });

  it("has ended when it is stopped, and is not about to: its disk may be unmounted", async () => {
    const layout = layoutOf(await newDirectory());
    // A process with much memory is long about to end, and looks like a server meanwhile: no command line, all its files.
    const large = 'BEGIN { x = "a"; for (i = 0; i < 28; i++) x = x x; print "up"; fflush(); getline }';
    const child = spawn("awk", [large, "-D", layout.data], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child.stdout, "data");
    const { pid = 0 } = child;
    const ended = once(child, "exit");
    await stopPostmaster(pid, { layout, environment: thisProcess(), clock: systemClock, log: silentLogger });
    const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "gone) Z";
    expect(stat.split(") ").at(-1)?.[0]).toBe("Z");
    await ended;
  });

  it("puts the socket elsewhere when the path is too long for the kernel", async () => {
    const directory = join(await newDirectory(), "a".repeat(60), "b".repeat(60));
    const holder = startHolder(directory);
    const other = startHolder(directory);
    const [first, second] = [await holder.answer(), await other.answer()];
    expect([first.problem, second.problem]).toEqual([undefined, undefined]);
    expect(first.ready?.pid).toBe(second.ready?.pid);
    expect(await holder.tell("row")).toEqual({ rows: 1 });
    expect(await other.tell("row")).toEqual({ rows: 2 });
    await holder.tell("stop");
    await other.tell("stop");
    expect(serverOf(directory)).toBeUndefined();
  });

  it("copes with any character in the path", async () => {
    const directory = join(await newDirectory(), `it's "a", $HOME; ü 漢`);
    const holder = startHolder(directory);
    const answer = await holder.answer();
    // Where the account cannot reach the checkout, the binaries lie in this path too, and Postgres' own initdb puts its
    // place into a shell command: then it is refused, not half done.
    if (
      answer.problem !== undefined &&
      readdirSync(join(directory, "postgres")).some((name) => name.startsWith("bin-"))
    ) {
      expect(answer.problem).toMatchObject({ code: "data_dir_unusable" });
      return;
    }
    expect(answer.ready?.started).toBe(true);
    expect(await holder.tell("row")).toEqual({ rows: 1 });
    expect(await holder.tell("stop")).toEqual({ stopped: true });
  });

  it("keeps its log bounded", async () => {
    const directory = await usedDirectory();
    const { logFile } = layoutOf(directory);
    await (await startHere(directory)).stop();
    truncateSync(logFile, 5 * 1024 * 1024);
    await (await startHere(directory)).stop();
    expect(statSync(logFile).size).toBeLessThan(100_000);
    expect(statSync(`${logFile}.1`).size).toBe(5 * 1024 * 1024);
  });

  it("runs under the account of the data when that is there already", async () => {
    const directory = await newDirectory();
    if (!isRoot) return expect(statSync(directory).uid).toBe(process.getuid?.());
    const nobody = startHolder(directory, { user: "nobody" });
    expect((await nobody.answer()).ready).toMatchObject({ account: { name: "nobody" } });
    await nobody.tell("stop");
    const next = startHolder(directory);
    expect((await next.answer()).ready).toMatchObject({
      account: { uid: statSync(layoutOf(directory).data).uid },
    });
    await next.tell("stop");
  });
});
