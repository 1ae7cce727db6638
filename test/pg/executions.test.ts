import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../../src/kernel/index.ts";
import { planRun } from "../support/plan.ts";
import {
  accept,
  advance,
  createFixture,
  type Fixture,
  registerInstance,
  runSnapshot,
  steps,
} from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe("claiming", () => {
  const waiting = async (count: number) => {
    const owner = await registerInstance(fixture.store);
    const group = steps(count).map((step) => ({ ...step, parallelGroup: "g" }));
    const { id } = await fixture.store.runs.accept({ ...fixture.newRun, owner }, () => [
      { type: "build", steps: group },
    ]);
    const snapshot = await runSnapshot(fixture.store, id);
    const { changes } = planRun(snapshot, { completed: [], begun: [] });
    if (changes === null) throw new Error("nothing to start");
    await fixture.store.runs.apply(id, owner, snapshot.run.seq, changes, {
      cause: "test",
      claim: changes.newExecutions.slice(0, 1).map((one) => one.id),
    });
    return { owner, id };
  };

  it("gives each waiting execution once, to its run's owner only", async () => {
    const { store } = fixture;
    const { owner, id } = await waiting(21);
    expect(await store.executions.claim(fixture.owner, 100)).toEqual([]);
    const claimed = await Promise.all(Array.from({ length: 8 }, () => store.executions.claim(owner, 3)));
    const all = claimed.flat();
    expect(new Set(all).size).toBe(all.length);
    const rest = await store.executions.claim(owner, 100);
    expect(all.length + rest.length).toBe(20);
    expect(await store.executions.claim(owner, 100)).toEqual([]);
    const rows = await store.executions.ofRun(id);
    expect(
      rows.every(({ instance_id, epoch }) => instance_id === owner.instance && epoch === owner.epoch),
    ).toBe(true);
  });

  it("gives nothing to a passed epoch or an ended node, nor of a run to be canceled", async () => {
    const { store } = fixture;
    const { owner, id } = await waiting(3);
    expect(await store.executions.claim({ ...owner, epoch: owner.epoch + 1 }, 100)).toEqual([]);
    await store.runs.requestCancel(id, "ann");
    expect(await store.executions.claim(owner, 100)).toEqual([]);
    const other = await waiting(3);
    await store.instances.end(other.owner);
    expect(await store.executions.claim(other.owner, 100)).toEqual([]);
  });

  it("follows a takeover", async () => {
    const { store } = fixture;
    const { owner, id } = await waiting(3);
    const heir = await registerInstance(store);
    expect(await store.runs.takeOwnership(id, owner, heir)).toBe(true);
    expect(await store.executions.claim(owner, 100)).toEqual([]);
    expect(await store.executions.claim(heir, 100)).toHaveLength(2);
  });
});

describe("an execution's place and log", () => {
  it("is named once; the log's length may still come after the end", async () => {
    const { store, owner } = fixture;
    const { id } = await accept(fixture);
    await advance(fixture, id);
    const execution = (await store.executions.ofRun(id))[0]?.id ?? newId();
    expect(await store.executions.place(execution, "job/1", owner)).toBe("wanted");
    expect(await store.executions.place(execution, "job/1", { ...owner, epoch: owner.epoch + 1 })).toBeNull();
    expect(await store.executions.place(execution, "job/2", owner)).toBeNull();
    await store.runs.requestCancel(id, "somebody");
    expect(await store.executions.place(execution, "job/1", owner)).toBe("canceled");
    await advance(fixture, id, { ends: { "step-0": "succeeded" } });
    expect(await store.executions.recordLog(execution, { ref: "logs/1", bytes: 2 ** 40, dropped: 1 })).toBe(
      true,
    );
    const row = await store.executions.get(execution);
    expect(row).toMatchObject({
      external_id: "job/1",
      logs_ref: "logs/1",
      log_bytes: 2 ** 40,
      log_dropped: 1,
    });
    expect(await store.executions.recordLog(newId(), { ref: null, bytes: 0, dropped: 0 })).toBe(false);
    expect(await store.executions.ofStep(row?.job_step_id ?? newId())).toEqual([row]);
  });
});
