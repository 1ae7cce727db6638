import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type RunId } from "../../src/kernel/index.ts";
import type { Page, PageRequest } from "../../src/store/index.ts";
import { createFixture, type Fixture, finish, registerInstance, steps } from "./fixture.ts";

let fixture: Fixture;
const runs: RunId[] = [];
beforeAll(async () => {
  fixture = await createFixture();
  const { store, database } = fixture;
  for (let index = 0; index < 40; index += 1)
    runs.push((await store.runs.accept({ ...fixture.newRun, config: null }, () => [])).id);
  // Several of one instant, and several within one millisecond: what a Date could not tell apart.
  await database.execute(
    `update pipeline_runs set created_at = timestamptz '2026-01-01 00:00:00Z' + (number / 3) * interval '7 microseconds'`,
  );
});
afterAll(() => fixture[Symbol.asyncDispose]());

async function all<T>(
  list: (page: PageRequest) => Promise<Page<T>>,
  limits: readonly number[],
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let turn = 0; ; turn += 1) {
    const limit = limits[turn % limits.length] ?? 1;
    const page = await list(cursor === undefined ? { limit } : { limit, cursor });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    if (page.nextCursor === null) return items;
    expect(page.items).toHaveLength(limit);
    cursor = page.nextCursor;
  }
}

describe("pages", () => {
  it("of any sizes give every row once, newest first", async () => {
    const whole = (await fixture.store.runs.list({}, { limit: 1000 })).items;
    expect(new Set(whole.map(({ id }) => id))).toEqual(new Set(runs));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 45 }), { minLength: 1, maxLength: 4 }),
        async (limits) => {
          const items = await all((page) => fixture.store.runs.list({}, page), limits);
          expect(items).toEqual(whole);
        },
      ),
      { numRuns: 12 },
    );
  });

  it("are not disturbed by rows that come meanwhile", async () => {
    const { store } = fixture;
    const first = await store.runs.list({}, { limit: 10 });
    const { id } = await store.runs.accept(fixture.newRun, () => [{ type: "build", steps: steps(1) }]);
    const rest = await all(
      (page) => store.runs.list({}, { ...page, cursor: page.cursor ?? first.nextCursor ?? "" }),
      [7],
    );
    const seen = [...first.items, ...rest].map((row) => row.id);
    expect(new Set(seen)).toEqual(new Set(runs));
    expect(seen).not.toContain(id);
    expect((await store.runs.list({}, { limit: 1 })).items[0]?.id).toBe(id);
    runs.push(id);
  });

  it("hold what the filter says", async () => {
    const { store } = fixture;
    const { id } = await store.runs.accept(fixture.newRun, () => [{ type: "build", steps: steps(1) }]);
    await finish(fixture, id, "succeeded");
    runs.push(id);
    const pending = await all(
      (page) => store.runs.list({ status: "pending", project: "project" }, page),
      [9],
    );
    expect(pending.every(({ status }) => status === "pending")).toBe(true);
    expect((await store.runs.list({ project: "none" })).items).toEqual([]);
    expect((await store.runs.list({ pipeline: "none" })).items).toEqual([]);
    expect(
      (await store.runs.list({ pipelineId: fixture.newRun.pipelineId }, { limit: 1 })).items,
    ).toHaveLength(1);
  });

  it("exist for the other lists too", async () => {
    const { store } = fixture;
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) await store.projects.ensure(name);
    for (let index = 0; index < 5; index += 1) await registerInstance(store);
    expect((await all((page) => store.projects.list({}, page), [2])).map(({ name }) => name)).toEqual([
      ...names.toReversed(),
      "project",
    ]);
    expect(await all((page) => store.instances.list(page), [2])).toHaveLength(6);
    expect(await all((page) => store.repositories.list({}, page), [2])).toHaveLength(1);
    expect(await all((page) => store.pipelines.list({}, page), [2])).toHaveLength(1);
    expect(await all((page) => store.deployments.list({ target: "local" }, page), [2])).toEqual([]);
    expect(await all((page) => store.artifacts.list(page), [2])).toEqual([]);
  });

  it.each([0, -1, 1001, 1.5, Number.NaN])("of %s rows are refused", async (limit) => {
    await expect((async () => fixture.store.runs.list({}, { limit }))()).rejects.toMatchObject({
      code: "usage",
    });
  });

  it.each([
    "",
    "x",
    "'; drop table pipeline_runs; --",
    Buffer.from("2026-01-01T00:00:00.000000Z").toString("base64url"),
    Buffer.from(`2026-13-41T00:00:00.000000Z ${newId()}`).toString("base64url"),
    Buffer.from("2026-01-01T00:00:00.000000Z no-id").toString("base64url"),
  ])("refuse a cursor that is none: %s", async (cursor) => {
    await expect((async () => fixture.store.runs.list({}, { cursor }))()).rejects.toMatchObject({
      code: "usage",
    });
  });
});
