import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  failureReasons,
  jobTypes,
  outputTypes,
  runPhases,
  statesOf,
  testArtifactTypes,
} from "../../src/domain/index.ts";
import type { Database } from "../../src/store/index.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres-database.ts";
import { describeSchema } from "./schema-description.ts";

let own: TestDatabase;
let database: Database;
beforeAll(async () => {
  own = await createTestDatabase();
  database = own.open();
});
afterAll(async () => {
  await database.close();
  await own.drop();
});

describe("the schema", () => {
  it("is the one that is checked in (npm run generate writes it)", async () => {
    const file = new URL("../../docs/schema/database.sql", import.meta.url);
    expect(await describeSchema(database)).toBe(await readFile(file, "utf8"));
  });

  it("has an index for every foreign key", async () => {
    const missing = await database.query<{ name: string }>(
      `select k.conrelid::regclass || '.' || k.conname as name
       from pg_constraint k
       where k.contype = 'f' and k.connamespace = 'public'::regnamespace and not exists (
         select from pg_index i
         where i.indrelid = k.conrelid and (i.indkey::smallint[])[0:array_length(k.conkey, 1) - 1] = k.conkey
           and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) like '%IS NOT NULL%'))`,
    );
    expect(missing).toEqual([]);
  });

  it("knows exactly the domain's words", async () => {
    const words: Record<string, readonly string[]> = {
      failure_reason: failureReasons,
      run_status: statesOf("run"),
      run_phase: runPhases,
      stage_status: statesOf("stage"),
      execution_status: statesOf("execution"),
      job_type: jobTypes,
      artifact_type: [...outputTypes, ...testArtifactTypes],
    };
    const rows = await database.query<{ name: string; definition: string }>(
      `select t.typname::text as name, pg_get_constraintdef(k.oid) as definition
       from pg_type t join pg_constraint k on k.contypid = t.oid
       where t.typname = any ($1::text[]) and k.contype = 'c'`,
      [Object.keys(words)],
    );
    const known = Object.fromEntries(
      rows.map(({ name, definition }) => [
        name,
        [...definition.matchAll(/'([a-z_]+)'/g)].map(([, word]) => word),
      ]),
    );
    expect(known).toEqual(words);
  });
});

describe("the partitions of transitions", () => {
  it("are made for this month and those asked for, once, by several at a time", async () => {
    const ensure = () =>
      database.query<{ made: number }>("select ensure_transition_partitions($1::integer) as made", [4]);
    const made = (await Promise.all([ensure(), ensure(), ensure()])).flat().map((row) => row.made);
    expect(made.sort()).toEqual([0, 0, 3]);
  });

  it("leave a month alone whose rows came before it", async () => {
    const next = "date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + interval '6 months'";
    await database.execute(
      `insert into transitions (run_id, seq, entity, entity_id, to_state, cause, at)
       select i, 1, 'run', i, 'pending', 'test', ${next} from gen_random_uuid() i`,
    );
    const [row] = await database.query<{ made: number }>("select ensure_transition_partitions(7) as made");
    expect(row?.made).toBe(2);
  });
});
