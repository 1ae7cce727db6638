import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorCode, Problem, silentLogger } from "../../../src/kernel/index.ts";
import { openDatabase } from "../../../src/store/db/database.ts";
import { migrate } from "../../../src/store/db/migrate.ts";
import { createTestDatabase } from "../../support/postgres-database.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shipinator-migrations-"));
});

afterAll(() => rm(directory, { recursive: true }));

let count = 0;

/** A directory of migrations from names and texts. */
async function files(contents: Record<string, string>): Promise<string> {
  const path = join(directory, String(count++));
  await mkdir(path);
  for (const [name, text] of Object.entries(contents)) await writeFile(join(path, name), text);
  return path;
}

const first = { "0001_first.sql": "create table first (id int primary key);" };
const alone = { "0002_alone.sql": "create table alone (id int);" };
const second = { "0002_second.sql": "create table second (id int references first);\n-- the end" };

async function tables(database: { query<R>(text: string): Promise<R[]> }): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "select tablename::text as name from pg_tables where schemaname = 'public' order by 1",
  );
  return rows.map(({ name }) => name);
}

async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Problem) return error;
  throw new Error(`expected a problem, got ${error}`);
}

describe("migrate", () => {
  it("brings an empty database to the program's schema, and has nothing to do the next time", async () => {
    await using test = await createTestDatabase("empty");
    await using database = test.open();
    const applied = await migrate(database, { log: silentLogger });
    expect(applied.length).toBeGreaterThan(0);
    expect(await tables(database)).toContain("pipeline_runs");
    expect(await migrate(database, { log: silentLogger })).toEqual([]);
  });

  it("finds nothing to do in a clone of the template", async () => {
    await using test = await createTestDatabase();
    await using database = test.open();
    expect(await migrate(database, { log: silentLogger })).toEqual([]);
  });

  it("applies what is pending, in order, once", async () => {
    await using test = await createTestDatabase("empty");
    await using database = test.open();
    const options = { log: silentLogger, directory: await files(first) };
    expect(await migrate(database, options)).toEqual(["0001_first"]);
    const more = {
      log: silentLogger,
      directory: await files({ ...first, ...second, "README.md": "not SQL" }),
    };
    expect(await migrate(database, more)).toEqual(["0002_second"]);
    expect(await migrate(database, more)).toEqual([]);
    expect(await tables(database)).toEqual(["first", "pgmigrations", "second"]);
  });

  it("refuses a database that a newer program changed, and changes nothing", async () => {
    await using test = await createTestDatabase("empty");
    await using database = test.open();
    await migrate(database, { log: silentLogger, directory: await files({ ...first, ...second }) });
    const problem = await problemOf(migrate(database, { log: silentLogger, directory: await files(first) }));
    expect(problem.code).toBe("database_newer");
    expect(problem.message).toContain("0002_second");
    expect(problem.remedy).toContain("newer version");
    // Also when there is something to do beside it.
    const other = await files({ ...first, "0003_third.sql": "create table third ();" });
    expect((await problemOf(migrate(database, { log: silentLogger, directory: other }))).code).toBe(
      "database_newer",
    );
    expect(await tables(database)).toEqual(["first", "pgmigrations", "second"]);
  });

  it("refuses a database of before the first release, and a backup of one, and says what to do", async () => {
    await using test = await createTestDatabase("empty");
    await using database = test.open();
    const backup = await problemOf(
      migrate(database, { log: silentLogger, upTo: ["0001_tables", "0002_guards"] }),
    );
    expect(backup.message).toMatch(
      /^This backup was made by a version of Shipinator before the first release/,
    );
    const old = await files({ "0001_tables.sql": first["0001_first.sql"] });
    await migrate(database, { log: silentLogger, directory: old });
    const problem = await problemOf(migrate(database, { log: silentLogger }));
    expect(problem.code).toBe("database_newer");
    expect(problem.message).toContain("before the first release");
    expect(problem.remedy).toContain("new data directory");
  });

  it("leaves nothing half-done when one of several fails, and says which", async () => {
    await using test = await createTestDatabase("empty");
    await using database = test.open();
    const broken =
      "create table second (id int);\ncreate table third (id int);\ninsert into nowhere values (1);";
    const directory = await files({ ...first, "0002_broken.sql": broken });
    const problem = await problemOf(migrate(database, { log: silentLogger, directory }));
    expect(problem.code).toBe("internal");
    expect(problem.place).toBe(`${join(directory, "0002_broken.sql")}:3`);
    expect(problem.message).toContain('relation "nowhere" does not exist');
    expect(errorCode(problem.cause)).toBe("42P01");
    expect(await tables(database)).toEqual(["pgmigrations"]);
    await writeFile(join(directory, "0002_broken.sql"), second["0002_second.sql"]);
    expect(await migrate(database, { log: silentLogger, directory })).toEqual(["0001_first", "0002_broken"]);
  });

  it("refuses a migration that was slipped in before one that was applied", async () => {
    await using test = await createTestDatabase("empty");
    await using database = test.open();
    await migrate(database, { log: silentLogger, directory: await files(alone) });
    const late = await files({ ...alone, "0001_late.sql": "create table late ();" });
    const problem = await problemOf(migrate(database, { log: silentLogger, directory: late }));
    expect(problem.message).toContain("0001_late");
    expect(problem.place).toBe(late);
    expect(await tables(database)).toEqual(["alone", "pgmigrations"]);
  });

  it("is safe when several processes do it at once", async () => {
    await using test = await createTestDatabase("empty");
    await using database = test.open();
    const directory = await files({ ...first, ...second });
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, () => migrate(database, { log: silentLogger, directory })),
    );
    expect(outcomes.filter((applied) => applied.length > 0)).toEqual([["0001_first", "0002_second"]]);
    const rows = await database.query<{ name: string }>("select name::text from pgmigrations order by id");
    expect(rows.map(({ name }) => name)).toEqual(["0001_first", "0002_second"]);
  });

  it("says that the database cannot be reached", async () => {
    await using test = await createTestDatabase("empty");
    await using nowhere = openDatabase(
      { ...test.settings, host: "127.0.0.1", port: 1 },
      { max: 1, applicationName: "test", log: silentLogger },
    );
    const problem = await problemOf(migrate(nowhere, { log: silentLogger }));
    expect(problem.code).toBe("database_unavailable");
    expect(problem.remedy).toContain("SHIPINATOR_DB_HOST");
  });
});
