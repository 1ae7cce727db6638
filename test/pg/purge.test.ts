import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunId } from "../../src/kernel/index.ts";
import { advance, createFixture, type Fixture, finish, stepPlan, tryOut } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const later = () => new Date(Date.now() + 3_600_000);

async function run(retriedFrom: RunId | null = null, outputs: readonly string[] = []): Promise<RunId> {
  const { id } = await fixture.store.runs.accept({ ...fixture.newRun, retriedFrom }, () => [
    { type: "build", steps: [stepPlan("make")] },
  ]);
  await advance(fixture, id);
  await advance(fixture, id, { ends: { make: "succeeded" }, artifacts: { make: outputs } });
  return id;
}

describe("the purge", () => {
  it("takes final runs that ended before, the oldest first, in small batches, and nothing else", async () => {
    const { store, database } = fixture;
    const first = await run(null, ["app"]);
    const second = await run(first);
    const third = await run();
    const { id: unfinished } = await store.runs.accept(fixture.newRun, () => [
      { type: "build", steps: [stepPlan("a")] },
    ]);
    const [artifact] = await store.artifacts.ofRun(first);
    const [execution] = await store.executions.ofRun(first);
    expect(await store.runs.purge(new Date(0), 10)).toEqual([]);
    expect(await store.discards.list(10, null)).toEqual([]);
    expect(await store.runs.purge(later(), 1)).toEqual([first]);
    expect(await store.discards.list(10, null)).toEqual([
      { kind: "artifact", id: artifact?.id },
      { kind: "log", id: execution?.id },
    ]);
    expect(await store.runs.get(first)).toBe(null);
    expect(await store.transitions.after(first, 0)).toEqual([]);
    expect(await store.runs.get(second)).toMatchObject({ retried_from: null, status: "success" });
    expect(new Set(await store.runs.purge(later(), 10))).toEqual(new Set([second, third]));
    expect((await store.runs.list()).items.map(({ id }) => id)).toEqual([unfinished]);
    expect(await store.pipelines.config((await store.runs.get(unfinished))?.config_digest ?? "")).not.toBe(
      null,
    );
    const [left] = await database.query<{ count: number }>(
      "select count(*)::integer as count from job_steps",
    );
    expect(left?.count).toBe(1);
  });

  it("never takes a run that deployed, nor an artifact whose digest a deployment names", async () => {
    const { store } = fixture;
    const deploy = { target: "local", namespace: "default", release: "app", kind: "helm" } as const;
    const inputs = [{ name: "chart", type: "helm_chart", path: "chart" }] as const;
    const { id: deployed } = await store.runs.accept(fixture.newRun, () => [
      { type: "build", steps: [stepPlan("make")] },
      { type: "deploy", steps: [stepPlan("deploy", { deploy, inputs })] },
    ]);
    await advance(fixture, deployed);
    await advance(fixture, deployed, { ends: { make: "succeeded" }, artifacts: { make: ["chart"] } });
    await finish(fixture, deployed);
    const sameDigest = await run(null, ["twin"]);
    const plain = await run();
    expect(await store.runs.purge(later(), 100)).toEqual([plain]);
    expect(await store.artifacts.ofRun(deployed)).toHaveLength(1);
    expect(await store.artifacts.ofRun(sameDigest)).toHaveLength(1);
  });

  it("leaves the door shut behind it, in its own transaction too", async () => {
    const id = await run();
    const unavailableReason = await tryOut(
      fixture.database,
      ["select purge_runs(now() - interval '1 day', 10)"],
      ["delete from pipeline_runs where id = $1::uuid", [id]],
    );
    expect(unavailableReason).toMatchObject({ code: "SH001" });
  });

  it("shares the work with another one at the same time", async () => {
    const ids = [await run(), await run(), await run(), await run()];
    const purged = await Promise.all(Array.from({ length: 4 }, () => fixture.store.runs.purge(later(), 2)));
    const taken = purged.flat();
    expect(new Set(taken).size).toBe(taken.length);
    const rest = await fixture.store.runs.purge(later(), 100);
    for (const id of ids) expect([...taken, ...rest]).toContain(id);
  });
});
