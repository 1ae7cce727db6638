import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorCode, silentLogger } from "../../../src/kernel/index.ts";
import { type Database, openDatabase } from "../../../src/store/db/database.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres-database.ts";

let test: TestDatabase;
let database: Database;

beforeAll(async () => {
  test = await createTestDatabase("empty");
  database = test.open(3);
  await database.execute("create table numbers (id int primary key, next int)");
});

afterAll(async () => {
  await database.close();
  await test.drop();
});

async function thrown(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => "nothing was thrown",
    (error: unknown) => error,
  );
}

const pid = async (on: Database) =>
  (await on.query<{ pid: number }>("select pg_backend_pid() as pid"))[0]?.pid;

describe("values", () => {
  it("arrive as the types that were decided once", async () => {
    const rows = await database.query(
      `select 5::int8 as int8, '{1,null,-3}'::int8[] as int8s, '{}'::int8[] as none, 1.50::numeric as "numeric",
              '2026-01-02T03:04:05.678Z'::timestamptz as at, '2026-01-02'::date as day, '{"a": [1]}'::jsonb as json,
              null::int8 as nothing`,
    );
    expect(rows).toEqual([
      {
        int8: 5,
        int8s: [1, null, -3],
        none: [],
        numeric: "1.50",
        at: new Date("2026-01-02T03:04:05.678Z"),
        day: "2026-01-02",
        json: { a: [1] },
        nothing: null,
      },
    ]);
  });

  it("of int8 that a number cannot hold are an error, never a rounded number", async () => {
    expect(await database.query("select 9007199254740991::int8 as n")).toEqual([{ n: 9007199254740991 }]);
    expect(await thrown(database.query("select 9007199254740993::int8 as n"))).toBeInstanceOf(RangeError);
    expect(await thrown(database.query("select array[9007199254740993::int8] as n"))).toBeInstanceOf(
      RangeError,
    );
    expect(await database.query("select 1 as n")).toEqual([{ n: 1 }]);
  });
});

describe("statements", () => {
  it("tell how many rows they touched", async () => {
    expect(await database.execute("insert into numbers select generate_series(101, 103)")).toBe(3);
    expect(await database.execute("delete from numbers where id > $1::int", [100])).toBe(3);
    expect(await database.execute("delete from numbers where id > $1::int", [100])).toBe(0);
  });

  it("that are refused keep their SQLSTATE and leave the connection in use", async () => {
    await using one = test.open(1);
    const before = await pid(one);
    const twice = "insert into numbers values ($1::int), ($1::int)";
    expect(errorCode(await thrown(one.execute(twice, [1])))).toBe("23505");
    expect(errorCode(await thrown(one.query("select no_such_column from numbers")))).toBe("42703");
    expect(await pid(one)).toBe(before);
  });

  it("that are prepared survive their own failure", async () => {
    await using one = test.open(1);
    const insert = (id: number) =>
      one.execute("insert into numbers values ($1::int)", [id], { name: "insert number" });
    expect(await insert(7)).toBe(1);
    expect(errorCode(await thrown(insert(7)))).toBe("23505");
    expect(await insert(8)).toBe(1);
    await one.execute("delete from numbers");
  });

  it("that take too long are ended by the server, and the connection is sound", async () => {
    await using hasty = openDatabase(test.settings, {
      max: 1,
      applicationName: "hasty",
      log: silentLogger,
      statementTimeoutMs: 20,
    });
    expect(errorCode(await thrown(hasty.query("select pg_sleep(60)")))).toBe("57014");
    expect(await hasty.query("select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("never see what the environment says to a Postgres client", async () => {
    process.env.PGOPTIONS = "-c work_mem=123kB";
    using _ = {
      [Symbol.dispose]: () => {
        delete process.env.PGOPTIONS;
      },
    };
    await using one = test.open(1);
    expect(await one.query("select current_setting('work_mem') = '123kB' as taken")).toEqual([
      { taken: false },
    ]);
  });
});

describe("a transaction", () => {
  it("keeps everything or nothing", async () => {
    const error = new Error("on second thought");
    const work = database.transaction(async (transaction) => {
      await transaction.execute("insert into numbers values (20)");
      throw error;
    });
    expect(await thrown(work)).toBe(error);
    const kept = await database.transaction(async (transaction) => {
      await transaction.execute("insert into numbers values (21)");
      return await transaction.query("select id from numbers");
    });
    expect(kept).toEqual([{ id: 21 }]);
    await database.execute("delete from numbers");
  });

  it("carries out statements that start together in the order of the calls", async () => {
    const rows = await database.transaction(async (transaction) => {
      const [, , found] = await Promise.all([
        transaction.execute("insert into numbers values (30, 1)"),
        transaction.execute("update numbers set next = next + 1 where id = 30"),
        transaction.query("select next from numbers where id = 30"),
      ]);
      await transaction.execute("delete from numbers");
      return found;
    });
    expect(rows).toEqual([{ next: 2 }]);
  });

  it("whose statement failed cannot commit, even when its body looked away", async () => {
    const work = database.transaction(async (transaction) => {
      await transaction.execute("insert into numbers values (40)");
      await thrown(transaction.query("select 1/0"));
    });
    expect(await thrown(work)).toMatchObject({
      code: "internal",
      message: expect.stringContaining("nothing was kept"),
    });
    expect(await database.query("select id from numbers")).toEqual([]);
  });

  it("is over when its body is", async () => {
    const escaped = await database.transaction(async (transaction) => transaction);
    expect(await thrown(escaped.query("select 1"))).toMatchObject({ code: "internal" });
  });

  it("reports a serialization failure and a deadlock to its caller", async () => {
    await database.execute("insert into numbers values (50, 0), (51, 0)");
    const touch = async (first: number, second: number, met: () => Promise<void>) =>
      await database.transaction(async (transaction) => {
        await transaction.execute("update numbers set next = 1 where id = $1::int", [first]);
        await met();
        await transaction.execute("update numbers set next = 1 where id = $1::int", [second]);
      });
    const meeting = rendezvous(2);
    const outcomes = await Promise.allSettled([touch(50, 51, meeting), touch(51, 50, meeting)]);
    const reasons = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [errorCode(outcome.reason)] : [],
    );
    expect(reasons).toEqual(["40P01"]);

    const both = rendezvous(2);
    const add = async () =>
      await database.transaction(async (transaction) => {
        await transaction.execute("set transaction isolation level repeatable read");
        await transaction.query("select next from numbers");
        await both();
        await transaction.execute("update numbers set next = next + 1 where id = 50");
      });
    const adds = await Promise.allSettled([add(), add()]);
    expect(adds.flatMap((one) => (one.status === "rejected" ? [errorCode(one.reason)] : []))).toEqual([
      "40001",
    ]);
    await database.execute("delete from numbers");
  });

  it("leaves a clean connection to the next, whatever happened in it", async () => {
    await using one = test.open(1);
    await thrown(one.transaction((transaction) => transaction.query("select 1/0")));
    await thrown(one.transaction((transaction) => transaction.query("syntax error")));
    const rows = await one.query("select now() = statement_timestamp() as alone");
    expect(rows).toEqual([{ alone: true }]);
  });
});

describe("a lost connection", () => {
  it("is a problem with a remedy, and the pool works on", async () => {
    await using one = test.open(1);
    const lost = await thrown(one.query("select pg_terminate_backend(pg_backend_pid())"));
    expect(lost).toMatchObject({ code: "database_unavailable", remedy: expect.stringMatching(/\.$/) });
    expect(await one.query("select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("while idle does not end the process", async () => {
    await using one = test.open(1);
    const victim = await pid(one);
    await database.query("select pg_terminate_backend($1::int, 5000)", [victim]);
    await eventually(async () => expect(await pid(one).catch(() => victim)).not.toBe(victim));
  });

  it("in the middle of a transaction, while the body waits for something else, fails the transaction", async () => {
    const work = database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ pid: number }>("select pg_backend_pid() as pid");
      await transaction.execute("insert into numbers values (60)");
      await database.query("select pg_terminate_backend($1::int, 5000)", [row?.pid]);
      await transaction.execute("insert into numbers values (61)");
    });
    expect(await thrown(work)).toMatchObject({ code: "database_unavailable" });
    expect(await database.query("select id from numbers")).toEqual([]);
  });

  it.each([
    ["nobody listens", { host: "127.0.0.1", port: 1 }, "SHIPINATOR_DB_HOST"],
    ["the name is unknown", { host: "no-such-host.invalid" }, "SHIPINATOR_DB_HOST"],
    ["the password is wrong", { password: "wrong" }, "SHIPINATOR_DB_PASSWORD"],
    ["the database does not exist", { database: "nowhere" }, "nowhere"],
  ])("or one that never was, because %s, says what to check", async (_, changes, remedy) => {
    const settings = { ...test.settings, ...changes };
    await using away = openDatabase(settings, { max: 1, applicationName: "test", log: silentLogger });
    expect(await thrown(away.query("select 1"))).toMatchObject({
      code: "database_unavailable",
      remedy: expect.stringContaining(remedy),
    });
  });

  it("because the server has no TLS, says so", async () => {
    const refusing = createServer((socket) => socket.once("data", () => socket.end("N")));
    refusing.listen(0, "127.0.0.1");
    await once(refusing, "listening");
    using _ = { [Symbol.dispose]: () => void refusing.close() };
    const address = refusing.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    for (const sslMode of ["require", "verify-full"] as const) {
      const settings = { ...test.settings, host: "127.0.0.1", port, sslMode };
      await using away = openDatabase(settings, { max: 1, applicationName: "test", log: silentLogger });
      expect(await thrown(away.query("select 1"))).toMatchObject({
        code: "database_unavailable",
        remedy: expect.stringContaining("SHIPINATOR_DB_SSL_MODE"),
      });
    }
  });
});

describe("a test database", () => {
  it("tells of a connection that was left open", async () => {
    const other = await createTestDatabase("empty");
    const forgotten = other.open(1);
    await forgotten.query("select 'who forgot me'");
    const error = await thrown(other.drop());
    expect(String(error)).toContain("who forgot me");
    await forgotten.close();
  });
});

/** Resolves for all when the last of `count` has come. */
function rendezvous(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let missing = count;
  return () => {
    missing -= 1;
    if (missing === 0) resolve();
    return promise;
  };
}
