import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/kernel/index.ts";
import { type Database, openDatabase } from "../../../src/store/index.ts";
import { createFixture, type Fixture, stepPlan } from "../fixture.ts";
import { away, begunNames, createBench } from "./bench.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const held = { a: { hold: "after" }, b: { hold: "after" } } as const;
const chain = { build: [stepPlan("a"), stepPlan("b")], test: [stepPlan("t")] };

describe("a database that fails", () => {
  it.each([
    ["runs.snapshot", "before"],
    ["runs.apply", "before"],
    ["runs.apply", "after"],
  ] as const)("in %s, %s it, loses no end: the retry records it", async (name, side) => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ script: held });
    const runId = await bench.begin(process, chain);
    process.gate.fail(name, side, away());
    process.executor.finish("a");
    await bench.quiet();
    await bench.resync();
    expect(begunNames(bench.world)).toEqual(["a", "b"]);
    process.gate.fail(name, side, away());
    process.executor.finish("b");
    await bench.quiet();
    await bench.resync();
    expect(await bench.view(runId)).toMatchObject({
      status: "success",
      executions: { a: ["succeeded"], b: ["succeeded"], t: ["succeeded"] },
    });
    expect([...bench.world.begins.values()]).toEqual([1, 1, 1]);
    expect(bench.world.jobs.size).toBe(0);
  });

  it("at the first reconcile delays the run, and the retry goes on", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process();
    const runId = await bench.accept(process, chain);
    process.gate.fail("runs.apply", "after", away());
    await process.own(runId);
    await bench.resync();
    expect((await bench.view(runId)).status).toBe("success");
  });

  it("does not keep other runs from the resync", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({
      script: { a: { hold: "after", notifications: 0 }, x: { hold: "after", notifications: 0 } },
    });
    const broken = await bench.begin(process, { build: [stepPlan("a")] });
    const sound = await bench.begin(process, { build: [stepPlan("x")] });
    process.executor.finish("a");
    process.executor.finish("x");
    process.gate.fail("runs.snapshot", "before", away());
    await bench.resync();
    await bench.resync();
    expect([(await bench.view(broken)).status, (await bench.view(sound)).status]).toEqual([
      "success",
      "success",
    ]);
  });

  it("holds no slot of what it did not save", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: held });
    const first = await bench.accept(process, { build: [stepPlan("t")] });
    process.gate.fail("runs.apply", "before", away());
    await process.own(first);
    const second = await bench.begin(process, { build: [stepPlan("x")] });
    expect((await bench.view(second)).status).toBe("success");
    await bench.resync();
    expect((await bench.view(first)).status).toBe("success");
  });

  it("starts what came while a claim, that finds nothing, had set all slots aside", async () => {
    await using bench = await createBench(fixture);
    const process = await bench.process({ slots: 1, script: held });
    const runId = await bench.accept(process, { build: [stepPlan("t")] });
    // What was not saved stays in the queue until the next reconcile of its run: a claim asks for it in vain.
    process.gate.fail("runs.apply", "before", away());
    await process.own(runId);
    await bench.quiet();
    const claim = process.gate.hold("executions.claim", "after");
    const apply = process.gate.hold("runs.apply", "before");
    bench.clock.advance(15_000);
    await Promise.all([claim.reached, apply.reached]);
    apply.release();
    await bench.quiet();
    expect((await bench.view(runId)).executions).toMatchObject({ t: ["pending"] });
    claim.release();
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
  });

  it("kills the connection of a reconcile: nothing is saved, and the next one saves it", async () => {
    await using bench = await createBench(fixture);
    await using victim = openDatabase(fixture.database.settings, {
      max: 4,
      applicationName: "victim",
      log: silentLogger,
    });
    const process = await bench.process({ script: held, database: victim });
    const runId = await bench.begin(process, chain);
    const locked = Promise.withResolvers<void>();
    const unlock = Promise.withResolvers<void>();
    const locking = fixture.database.transaction(async (transaction) => {
      await transaction.query("select from pipeline_runs where id = $1::uuid for update", [runId]);
      locked.resolve();
      await unlock.promise;
    });
    await locked.promise;
    process.executor.finish("a");
    await waitingForLock(fixture.database);
    await fixture.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'victim' and datname = current_database()`,
    );
    await process.gate.quiet();
    unlock.resolve();
    await locking;
    expect((await bench.view(runId)).steps).toMatchObject({ a: "running" });
    await bench.resync();
    expect((await bench.view(runId)).steps).toMatchObject({ a: "succeeded", b: "running" });
    process.executor.finish("b");
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
    expect([...bench.world.begins.values()]).toEqual([1, 1, 1]);
    await process.stop();
  });
});

describe("200 completions of one run at once", () => {
  it("take few reconciles and never more than a few connections, so that a read elsewhere waits for none", async () => {
    await using bench = await createBench(fixture);
    const counted = countStatements(fixture.database);
    const names = Array.from({ length: 200 }, (_, index) => `s${index}`);
    const process = await bench.process({
      slots: 200,
      database: counted.database,
      script: Object.fromEntries(names.map((name) => [name, { hold: "after" as const }])),
    });
    const group = names.map((name) => stepPlan(name, { parallelGroup: "all" }));
    const runId = await bench.begin(process, { test: group });
    expect(begunNames(bench.world)).toHaveLength(200);
    counted.reset();
    for (const name of names) process.executor.finish(name);
    await bench.quiet();
    expect((await bench.view(runId)).status).toBe("success");
    expect(counted.statements()).toBeLessThanOrEqual(12);
    expect(counted.peak()).toBeLessThanOrEqual(3);
  });
});

describe("a sequential step", () => {
  it("costs two statements and a notification", async () => {
    await using bench = await createBench(fixture);
    const counted = countStatements(fixture.database);
    const process = await bench.process({ database: counted.database });
    const run = async (steps: number) => {
      counted.reset();
      const list = Array.from({ length: steps }, (_, index) => stepPlan(`s${index}`));
      await bench.begin(process, { build: list });
      return counted.statements();
    };
    const [ten, thirty] = [await run(10), await run(30)];
    expect((thirty - ten) / 20).toBeLessThanOrEqual(3);
  });
});

/** Counts statements, and how many are under way at once. */
function countStatements(database: Database) {
  let statements = 0;
  let running = 0;
  let peak = 0;
  async function count<T>(work: Promise<T>): Promise<T> {
    statements++;
    peak = Math.max(peak, ++running);
    try {
      return await work;
    } finally {
      running--;
    }
  }
  const counted: Database = {
    ...database,
    query: (text, values, options) => count(database.query(text, values, options)),
    execute: (text, values, options) => count(database.execute(text, values, options)),
  };
  return {
    database: counted,
    reset() {
      statements = 0;
      peak = 0;
    },
    statements: () => statements,
    peak: () => peak,
  };
}

async function waitingForLock(database: Database): Promise<void> {
  for (;;) {
    const waiting = await database.query(
      `select from pg_stat_activity
       where application_name = 'victim' and datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (waiting.length > 0) return;
    await turn();
  }
}
