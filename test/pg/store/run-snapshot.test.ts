import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type RunId } from "../../../src/kernel/index.ts";
import { runSnapshotSql } from "../../../src/store/runs/run-snapshot.ts";
import { advance, createFixture, type Fixture, runSnapshot, stepPlan, steps } from "../fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const grouped = (name: string, parallelGroup: string | null) => stepPlan(name, { parallelGroup });

async function accept(names: readonly (readonly [string, string | null])[]): Promise<RunId> {
  const { id } = await fixture.store.runs.accept(fixture.newRun, () => [
    { type: "build", steps: names.map(([name, group]) => grouped(name, group)) },
    { type: "test", steps: steps(1) },
  ]);
  return id;
}

const seen = async (id: RunId) =>
  (await runSnapshot(fixture.store, id)).steps.map(({ name, status }) => `${name} ${status}`);

describe("the run snapshot", () => {
  it("is null for a run that is not there", async () => {
    expect(await fixture.store.runs.snapshot(newId<RunId>())).toBe(null);
  });

  it("of an accepted run is the first step", async () => {
    const id = await accept([
      ["a", null],
      ["b", null],
    ]);
    expect(await runSnapshot(fixture.store, id)).toMatchObject({
      run: { id, seq: 4, status: "pending", phase: "submitted", cancelRequested: false, resolved: true },
      jobs: [
        { type: "build", status: "pending", attempt: 1 },
        { type: "test", status: "pending", attempt: 1 },
      ],
      steps: [{ name: "a", order: 0, parallelGroup: null, status: "pending", attempts: 0 }],
      executions: [],
      failure: null,
      anyCanceled: false,
      deployBlock: null,
    });
  });

  it("gives the plan as it was accepted", async () => {
    const step = stepPlan("a", { env: { A: 'quote " and \\ and 雪' }, command: "echo 'x'\n" });
    const { id } = await fixture.store.runs.accept(fixture.newRun, () => [{ type: "build", steps: [step] }]);
    expect((await runSnapshot(fixture.store, id)).steps[0]?.plan).toEqual(step);
  });

  it("holds a whole group and not the next one, nor a group of the same name further on", async () => {
    const id = await accept([
      ["a", "g"],
      ["b", "g"],
      ["c", "h"],
      ["d", "h"],
      ["e", "g"],
    ]);
    expect(await seen(id)).toEqual(["a pending", "b pending"]);
    await advance(fixture, id);
    expect(await seen(id)).toEqual(["a running", "b running", "c pending", "d pending"]);
    await advance(fixture, id, { ends: { a: "succeeded" } });
    expect(await seen(id)).toEqual(["b running", "c pending", "d pending"]);
  });

  it("holds the live executions of its steps", async () => {
    const id = await accept([
      ["a", "g"],
      ["b", "g"],
    ]);
    await advance(fixture, id);
    const { steps: shown, executions } = await runSnapshot(fixture.store, id);
    expect(executions.map(({ stepId }) => stepId)).toEqual(shown.map((step) => step.id));
    expect(executions[0]).toMatchObject({ attempt: 1, status: "pending", instance: fixture.owner.instance });
  });

  it("names the step that failed first", async () => {
    const id = await accept([
      ["a", "g"],
      ["b", "g"],
      ["c", "g"],
      ["d", null],
    ]);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { b: "failed" } });
    await advance(fixture, id, { ends: { a: "failed" } });
    const { failure, steps: shown } = await runSnapshot(fixture.store, id);
    expect(failure).toEqual({
      stepName: "b",
      parallelGroup: "g",
      reason: "script_failed",
      message: "b ended",
      retry: null,
    });
    expect(shown.map(({ name }) => name)).toEqual(["c", "d"]);
  });

  it("tells that a step was canceled", async () => {
    const id = await accept([
      ["a", "g"],
      ["b", "g"],
    ]);
    await advance(fixture, id);
    await fixture.store.runs.requestCancel(id, "ann");
    await advance(fixture, id, { ends: { a: "canceled" } });
    const snapshot = await runSnapshot(fixture.store, id);
    expect(snapshot).toMatchObject({ anyCanceled: true, run: { cancelRequested: true, status: "running" } });
    await advance(fixture, id, { ends: { b: "canceled" } });
    expect(await runSnapshot(fixture.store, id)).toMatchObject({
      run: { status: "canceled" },
      steps: [],
      executions: [],
    });
  });

  it("moves on to the next job", async () => {
    const id = await accept([["a", null]]);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { a: "succeeded" } });
    const snapshot = await runSnapshot(fixture.store, id);
    expect(snapshot.jobs.map(({ type, status }) => `${type} ${status}`)).toEqual([
      "build succeeded",
      "test pending",
    ]);
    expect(snapshot.steps.map(({ name }) => name)).toEqual(["step-0"]);
  });
});

describe("the cost of a run snapshot", () => {
  interface PlanNode {
    readonly "Shared Hit Blocks": number;
    readonly "Shared Read Blocks": number;
  }

  async function buffersOf(id: RunId): Promise<number> {
    const rows = await fixture.database.query<{ "QUERY PLAN": readonly { readonly Plan: PlanNode }[] }>(
      `explain (analyze, buffers, timing off, format json) ${runSnapshotSql}`,
      [id],
    );
    const node = rows[0]?.["QUERY PLAN"][0]?.Plan;
    return (node?.["Shared Hit Blocks"] ?? 0) + (node?.["Shared Read Blocks"] ?? 0);
  }

  it("does not grow with the run", async () => {
    const { store } = fixture;
    const make = async (count: number, done: number) => {
      const { id } = await store.runs.accept(fixture.newRun, () => [{ type: "build", steps: steps(count) }]);
      for (let index = 0; index <= done; index += 1)
        await advance(fixture, id, { ends: { [`step-${index - 1}`]: "succeeded" } });
      return id;
    };
    const small = await make(10, 5);
    const large = await make(5000, 300);
    await fixture.database.execute("vacuum analyze job_steps");
    await fixture.database.execute("vacuum analyze executions");
    const [few, many] = [await buffersOf(small), await buffersOf(large)];
    expect(few).toBeGreaterThan(0);
    expect(many).toBeLessThanOrEqual(few + 20);
    expect(many).toBeLessThan(80);
  });
});
