import { afterAll, beforeAll, expect, it } from "vitest";
import { silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { expireRuns, type RetentionDeps } from "../../../src/services/maintenance/retention.ts";
import { advance, createFixture, type Fixture, stepPlan } from "../fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const never = new AbortController().signal;

async function endedRun() {
  const { id } = await fixture.store.runs.accept(fixture.newRun, () => [
    { type: "build", steps: [stepPlan("make")] },
  ]);
  await advance(fixture, id);
  await advance(fixture, id, { ends: { make: "succeeded" }, artifacts: { make: ["app"] } });
  const [artifact] = await fixture.store.artifacts.ofRun(id);
  const [execution] = await fixture.store.executions.ofRun(id);
  return { id, artifact: artifact?.id, execution: execution?.id };
}

/** As after so many days. */
function depsAfter(days: number, retentionDays: number | null, fails: string[] = []) {
  const removed: string[] = [];
  const remove = async (id: string) => {
    if (fails.includes(id)) throw new Error("the disk is away");
    removed.push(id);
  };
  const clock = { ...systemClock, now: () => new Date(Date.now() + days * 86_400_000) };
  const deps: RetentionDeps = {
    database: async () => ({ store: fixture.store, artifacts: { remove } }),
    logs: { remove },
    retentionDays,
    clock,
    log: silentLogger,
  };
  return { deps, removed };
}

it("forgets runs that ended before, with their bytes, in batches; without a setting nothing", async () => {
  const runs = [];
  for (let left = 60; left > 0; left--) runs.push(await endedRun());
  const { id: unfinished } = await fixture.store.runs.accept(fixture.newRun, () => [
    { type: "build", steps: [stepPlan("a")] },
  ]);
  for (const [days, retention] of [
    [1_000, null],
    [89, 90],
  ] as const) {
    const { deps, removed } = depsAfter(days, retention);
    await expireRuns(deps, never);
    expect(removed).toEqual([]);
  }
  const stuck = runs[3]?.artifact ?? "";
  const { deps, removed } = depsAfter(91, 90, [stuck]);
  await expireRuns(deps, never);
  const bytes = runs.flatMap(({ artifact, execution }) => [artifact, execution]);
  expect(new Set(removed)).toEqual(new Set(bytes.filter((id) => id !== stuck)));
  expect(await fixture.store.discards.list(10, null)).toEqual([{ kind: "artifact", id: stuck }]);
  expect((await fixture.store.runs.list()).items.map(({ id }) => id)).toEqual([unfinished]);
});

it("removes later what could not be removed, or was not when the process died, also without a setting", async () => {
  // As in a batch of its own that the purge has written down, and nobody has removed.
  const run = await endedRun();
  expect(await fixture.store.runs.purge(new Date(Date.now() + 86_400_000), 10)).toEqual([run.id]);
  const waiting = (await fixture.store.discards.list(10, null)).map(({ id }) => id);
  expect(waiting).toEqual(expect.arrayContaining([run.artifact, run.execution]));
  const { deps, removed } = depsAfter(0, null, [run.execution ?? ""]);
  await expireRuns(deps, never);
  expect(new Set(removed)).toEqual(new Set(waiting.filter((id) => id !== run.execution)));
  const next = depsAfter(0, null);
  await expireRuns(next.deps, never);
  expect(next.removed).toEqual([run.execution]);
  expect(await fixture.store.discards.list(10, null)).toEqual([]);
});
