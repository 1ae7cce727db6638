import { describe, expect, it } from "vitest";
import { Problem, silentLogger } from "../../src/kernel/index.ts";
import {
  type Database,
  loadDatabase,
  migrate,
  openSnapshot,
  type TableShape,
} from "../../src/store/index.ts";
import { createTestDatabase } from "../support/postgres-database.ts";
import { accept, createFixture, finish } from "./fixture.ts";

const log = silentLogger;
const artifactPath = "/elsewhere";

interface Copied {
  readonly migrations: readonly string[];
  readonly tables: readonly (TableShape & { readonly text: string })[];
}

async function copyOf(database: Database): Promise<Copied> {
  await using snapshot = await openSnapshot(database.settings, log);
  const tables: (TableShape & { text: string })[] = [];
  for (const table of snapshot.tables) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of snapshot.copy(table)) chunks.push(chunk);
    tables.push({ ...table, text: Buffer.concat(chunks).toString() });
  }
  return { migrations: snapshot.migrations, tables };
}

const given = ({ migrations, tables }: Copied) => ({
  migrations,
  artifactPath,
  log,
  tables: tables.map(({ text, ...table }) => ({
    ...table,
    rows: (async function* () {
      // In small pieces: where one ends means nothing.
      for (let at = 0; at < text.length; at += 100) yield Buffer.from(text.slice(at, at + 100));
    })(),
  })),
});

const rows = (copied: Copied, table: string) =>
  (copied.tables.find(({ name }) => name === table)?.text ?? "").split("\n").filter(Boolean).sort();

describe("a snapshot of all tables", () => {
  it("leaves out no table, and has what refers to another one after it", async () => {
    await using fixture = await createFixture();
    await using snapshot = await openSnapshot(fixture.database.settings, log);
    const there = await fixture.database.query<{ name: string }>(
      `select c.relname::text as name from pg_class c
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
         and c.relname <> 'pgmigrations'`,
    );
    const names = snapshot.tables.map(({ name }) => name);
    expect([...names].sort()).toEqual(there.map(({ name }) => name).sort());
    expect(names.indexOf("jobs")).toBeGreaterThan(names.indexOf("pipeline_runs"));
    expect(names.indexOf("artifacts")).toBeGreaterThan(names.indexOf("executions"));
  });

  it("is of one moment, whatever is written meanwhile", async () => {
    await using fixture = await createFixture();
    await using snapshot = await openSnapshot(fixture.database.settings, log);
    await fixture.store.projects.ensure("later");
    const projects = snapshot.tables.find(({ name }) => name === "projects");
    if (projects === undefined) throw new Error("no table projects");
    let text = "";
    for await (const chunk of snapshot.copy(projects)) text += Buffer.from(chunk).toString();
    expect(text).toContain("\tproject\t");
    expect(text).not.toContain("later");
  });
});

describe("loading a backup's tables", () => {
  it("brings back every row; guards and numbers hold as before", async () => {
    await using fixture = await createFixture();
    const done = await accept(fixture);
    await finish(fixture, done.id);
    const copied = await copyOf(fixture.database);
    await using target = await createTestDatabase("empty");
    await using database = target.open();
    expect(await loadDatabase(database, given(copied))).toBe(0);
    const again = await copyOf(database);
    for (const { name } of copied.tables)
      if (name !== "instances") expect([name, rows(again, name)]).toEqual([name, rows(copied, name)]);
    await expect(database.execute("update pipeline_runs set status = 'running'")).rejects.toThrow(
      /never changes again/,
    );
    await expect(database.execute("delete from jobs")).rejects.toThrow(/the purge alone deletes/);
    expect(await database.query("select next_number from pipelines")).toEqual([{ next_number: 2 }]);
  });

  it("asks that runs which had not ended be canceled, and ends the processes that had them", async () => {
    await using fixture = await createFixture();
    const live = await accept(fixture);
    const copied = await copyOf(fixture.database);
    await using target = await createTestDatabase("empty");
    await using database = target.open();
    expect(await loadDatabase(database, given(copied))).toBe(1);
    expect(await database.query("select id, status, cancel_requested_by as by from pipeline_runs")).toEqual([
      { id: live.id, status: "pending", by: "restore" },
    ]);
    expect(await database.query("select id from instances where ended_at is null")).toEqual([]);
    expect(
      await database.query("select cause from transitions where run_id = $1 order by seq desc limit 1", [
        live.id,
      ]),
    ).toEqual([{ cause: "cancel_requested" }]);
  });

  it("takes the tables of an older schema, and the next start brings them to the newest", async () => {
    await using fixture = await createFixture();
    const all = (await copyOf(fixture.database)).migrations;
    await using old = await createTestDatabase("empty");
    await using before = old.open();
    await migrate(before, { log, upTo: all.slice(0, 3) });
    await before.execute("insert into projects (id, name) values (new_id(), 'of old')");
    const copied = await copyOf(before);
    expect(copied.migrations).toEqual(all.slice(0, 3));
    await using target = await createTestDatabase("empty");
    await using database = target.open();
    await loadDatabase(database, given(copied));
    expect(await migrate(database, { log })).toEqual(all.slice(3));
    expect(await database.query("select name from projects")).toEqual([{ name: "of old" }]);
  });

  it("refuses a database that is not empty, and leaves it as it is", async () => {
    await using fixture = await createFixture();
    const before = await copyOf(fixture.database);
    await expect(loadDatabase(fixture.database, given(before))).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/is not empty: \w+ has rows/),
    });
    expect(await copyOf(fixture.database)).toEqual(before);
  });

  it.each([
    [
      "a migration that this program does not know",
      { migrations: ["0001_tables", "9999_future"] },
      "database_newer",
    ],
    ["a table that is not of that schema", { extra: "strangers" }, "config_invalid"],
    ["a table that is missing", { without: "jobs" }, "config_invalid"],
  ])("refuses %s", async (_, change: { migrations?: string[]; extra?: string; without?: string }, code) => {
    await using fixture = await createFixture();
    const copied = await copyOf(fixture.database);
    const { migrations = copied.migrations, extra, without } = change;
    const tables = copied.tables.filter(({ name }) => name !== without);
    const more = extra === undefined ? [] : [{ name: extra, columns: ["id"], text: "" }];
    await using target = await createTestDatabase("empty");
    await using database = target.open();
    const loaded = loadDatabase(database, given({ migrations, tables: [...tables, ...more] }));
    await expect(loaded).rejects.toSatisfy((error) => error instanceof Problem && error.code === code);
  });

  it("keeps nothing when one row of the last table is wrong", async () => {
    await using fixture = await createFixture();
    await accept(fixture);
    const copied = await copyOf(fixture.database);
    const tables = copied.tables.map((table) =>
      table.name === "transitions" ? { ...table, text: `${table.text}not a row\n` } : table,
    );
    await using target = await createTestDatabase("empty");
    await using database = target.open();
    await expect(loadDatabase(database, given({ ...copied, tables }))).rejects.toThrow(
      /transitions|uuid|column/,
    );
    expect(await database.query("select id from projects")).toEqual([]);
    expect(await loadDatabase(database, given(copied))).toBe(1);
  });
});
