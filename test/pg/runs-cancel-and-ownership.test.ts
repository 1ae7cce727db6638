import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type RunId } from "../../src/kernel/index.ts";
import type { Owner } from "../../src/store/index.ts";
import {
  accept,
  advance,
  createFixture,
  type Fixture,
  finish,
  registerInstance,
  runSnapshot,
  steps,
} from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe("a request to cancel", () => {
  it("is recorded once, with who asked", async () => {
    const { store } = fixture;
    const { id } = await accept(fixture);
    const answers = await Promise.all(["ann", "bob", "cid"].map((by) => store.runs.requestCancel(id, by)));
    expect(answers.sort()).toEqual(["already", "already", "requested"]);
    const run = await store.runs.get(id);
    expect(run?.cancel_requested_at).toBeInstanceOf(Date);
    const recorded = (await store.transitions.after(id, 0)).filter(
      ({ cause }) => cause === "cancel_requested",
    );
    expect(recorded).toHaveLength(1);
    expect(recorded[0]).toMatchObject({
      from_state: "pending",
      to_state: "pending",
      evidence: { by: run?.cancel_requested_by },
    });
  });

  it("makes an advance that was planned before it come to nothing", async () => {
    const { store, owner } = fixture;
    const { id } = await accept(fixture);
    const { run, steps: shown } = await runSnapshot(store, id);
    await store.runs.requestCancel(id, "ann");
    const steps = shown.map((step) => ({ id: step.id, from: "pending", to: "running" }) as const);
    const changes = {
      run: null,
      jobs: [],
      steps,
      pendingSteps: [],
      executions: [],
      newExecutions: [],
      newJobs: [],
      artifacts: [],
    };
    expect(await store.runs.apply(id, owner, run.seq, changes, { cause: "test" })).toBe(null);
    await finish(fixture, id);
    expect(await store.runs.get(id)).toMatchObject({ status: "canceled", failure_reason: "canceled" });
    expect(await store.executions.ofRun(id)).toEqual([]);
  });

  it("comes too late for a final run, and is an error for none", async () => {
    const { store } = fixture;
    const { id } = await accept(fixture);
    await finish(fixture, id);
    const before = await store.runs.get(id);
    expect(await store.runs.requestCancel(id, "ann")).toBe("final");
    expect(await store.runs.get(id)).toEqual(before);
    await expect(store.runs.requestCancel(newId<RunId>(), "ann")).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

describe("an owner", () => {
  it("loses a run that another takes over, once", async () => {
    const { store, owner } = fixture;
    const { id } = await accept(fixture);
    await advance(fixture, id);
    const others = await Promise.all([registerInstance(store), registerInstance(store)]);
    const taken = await Promise.all(others.map((other) => store.runs.takeOwnership(id, owner, other)));
    expect(taken.sort()).toEqual([false, true]);
    const run = await store.runs.get(id);
    const winner = others.find(({ instance }) => instance === run?.owner_id);
    expect(winner).toBeDefined();
    const [execution] = await store.executions.ofRun(id);
    expect(execution).toMatchObject({ instance_id: winner?.instance, epoch: winner?.epoch });
    await expect(advance(fixture, id, { ends: { "step-0": "succeeded" } })).rejects.toThrow("moved on");
    await advance(fixture, id, { ends: { "step-0": "succeeded" }, owner: winner ?? owner });
    expect(await store.runs.takeOwnership(id, winner ?? owner, owner)).toBe(false);
  });

  it("leaves a run with what is live in it, once, and not one of somebody else", async () => {
    const { store, owner } = fixture;
    const { id } = await accept(fixture);
    await advance(fixture, id);
    const heir = await registerInstance(store);
    expect(await store.runs.disown(id, heir)).toBe(false);
    expect(await store.runs.disown(id, owner)).toBe(true);
    expect(await store.runs.disown(id, owner)).toBe(false);
    expect(await store.runs.get(id)).toMatchObject({ owner_id: null, owner_epoch: null });
    expect(await store.executions.ofRun(id)).toMatchObject([
      { instance_id: owner.instance, epoch: owner.epoch },
    ]);
    await expect(advance(fixture, id, { ends: { "step-0": "succeeded" } })).rejects.toThrow("moved on");
    expect(await store.runs.takeOwnership(id, null, heir)).toBe(true);
    expect(await store.executions.ofRun(id)).toMatchObject([
      { instance_id: heir.instance, epoch: heir.epoch },
    ]);
    await advance(fixture, id, { ends: { "step-0": "succeeded" }, owner: heir });
    expect(await store.runs.disown(id, heir)).toBe(false);
  });

  it("loses all its runs to one that takes them over in batches, with what it had claimed", async () => {
    const { store } = fixture;
    const [owner, heir] = [await registerInstance(store), await registerInstance(store)];
    const make = async (from: Owner) =>
      (
        await store.runs.accept({ ...fixture.newRun, owner: from }, () => [
          { type: "build", steps: steps(1) },
        ])
      ).id;
    const ids = [await make(owner), await make(owner), await make(owner)];
    const [waiting = newId<RunId>(), running = newId<RunId>(), over = newId<RunId>()] = ids;
    for (const id of [running, over]) await advance(fixture, id, { owner });
    await advance(fixture, over, { owner, ends: { "step-0": "succeeded" } });
    const [execution] = await store.executions.ofRun(running);
    expect(await store.runs.takeOwnershipOfMany({ ...owner, epoch: 7 }, heir, 10)).toEqual([]);
    expect(await store.runs.takeOwnershipOfMany(owner, heir, 1)).toEqual([
      { id: waiting, seq: expect.any(Number), claimed: [] },
    ]);
    expect(await store.runs.takeOwnershipOfMany(owner, heir, 10)).toEqual([
      { id: running, seq: expect.any(Number), claimed: [execution?.id] },
    ]);
    expect(await store.runs.takeOwnershipOfMany(owner, heir, 10)).toEqual([]);
    expect((await store.runs.unfinished(heir)).map(({ id }) => id)).toEqual([waiting, running]);
    expect(await store.executions.ofRun(running)).toMatchObject([
      { instance_id: heir.instance, epoch: heir.epoch },
    ]);
    await expect(advance(fixture, running, { owner, ends: { "step-0": "succeeded" } })).rejects.toThrow();
    await advance(fixture, running, { owner: heir, ends: { "step-0": "succeeded" } });
    const nobody = await make(owner);
    await store.runs.disown(nobody, owner);
    expect(await store.runs.takeOwnershipOfMany(null, heir, 10)).toEqual([
      { id: nobody, seq: expect.any(Number), claimed: [] },
    ]);
  });

  it("sees its unfinished runs and what is live in them", async () => {
    const { store } = fixture;
    const owner = await registerInstance(store);
    const make = async () =>
      (await store.runs.accept({ ...fixture.newRun, owner }, () => [{ type: "build", steps: steps(1) }])).id;
    const ids = [await make(), await make(), await make()];
    await advance(fixture, ids[1] ?? newId(), { owner });
    const finished = ids[2] ?? newId<RunId>();
    await advance(fixture, finished, { owner });
    await advance(fixture, finished, { owner, ends: { "step-0": "succeeded" } });
    const unfinished = await store.runs.unfinished(owner);
    expect(unfinished.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(await store.runs.unfinished(null)).toEqual([]);
    expect(await store.runs.owners()).toContainEqual(owner);
    // What an advance starts it claims, as here: where it waits for a slot, nothing is claimed.
    const standings = (await store.runs.positions(owner)).toSorted((a, b) => a.id.localeCompare(b.id));
    expect(standings).toEqual(unfinished.map(({ id, seq }) => ({ id, seq, claimed: id === ids[1] })));
    expect(await store.runs.positions({ ...owner, epoch: owner.epoch + 1 })).toEqual([]);
    const live = await store.executions.live(owner.instance);
    expect(live).toMatchObject([
      { runId: ids[1], jobType: "build", jobAttempt: 1, attempt: 1, executorType: "fake" },
    ]);
    expect(await store.executions.work(live.map(({ id }) => id))).toEqual(live);
  });
});
