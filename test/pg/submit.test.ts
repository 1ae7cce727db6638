import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type PipelineId, type RunId } from "../../src/kernel/index.ts";
import type { RunRow, SubmittedRun } from "../../src/store/index.ts";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
let asked: SubmittedRun;
beforeAll(async () => {
  fixture = await createFixture();
  const { newRun } = fixture;
  asked = { ...newRun, gitRef: "main", gitSha: null, requestedStages: ["build", "test"] };
});
afterAll(() => fixture[Symbol.asyncDispose]());

const numberOf = ({ written }: { readonly written: RunRow | null }) => written?.number ?? -1;
const submit = (more: Partial<SubmittedRun> = {}) => fixture.store.runs.submit({ ...asked, ...more });

describe("submit", () => {
  it("makes a run of which nothing is known but what was asked for", async () => {
    const { store, owner } = fixture;
    const { id, written } = await submit();
    expect(written).toEqual(await store.runs.get(id));
    expect(written).toMatchObject({
      status: "pending",
      phase: "submitted",
      git_ref: "main",
      git_sha: null,
      tree: null,
      config_digest: null,
      requested_stages: ["build", "test"],
      adopted_stages: [],
      owner_node: owner.node,
      owner_epoch: owner.epoch,
      seq: 2,
    });
    const history = await store.transitions.after(id, 0);
    expect(history).toMatchObject([
      { seq: 1, entity: "run", from_state: null, to_state: "pending", cause: "trigger" },
      { seq: 2, entity: "phase", from_state: null, to_state: "submitted", cause: "trigger" },
    ]);
    expect((await store.runs.frontier(id))?.run).toMatchObject({ resolved: false, status: "pending" });
  });

  it("gives numbers without gaps or doubles to whoever asks at the same time", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => submit()));
    const numbers = made.map(numberOf).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
  });

  it("makes one run of one id, asked at once or afterwards, and no gap", async () => {
    const before = await submit();
    const id = newId<RunId>();
    const made = await Promise.all(Array.from({ length: 10 }, () => submit({ id })));
    made.push(await submit({ id }));
    expect(new Set(made.map((one) => one.id))).toEqual(new Set([id]));
    // To one of them alone it was written, and no other has it begun.
    const [first, ...more] = made.filter(({ written }) => written !== null);
    expect(more).toEqual([]);
    expect(first?.written?.number).toBe(numberOf(before) + 1);
    expect(numberOf(await submit())).toBe(numberOf(before) + 2);
  });

  it("gives nobody the run of another pipeline, or another kind of run, by its id", async () => {
    const { store, newRun } = fixture;
    const run = await store.runs.get((await submit()).id);
    const { id: pipelineId } = await store.pipelines.ensure({
      repositoryId: run?.repository_id ?? newId(),
      name: "other",
      triggerType: "manual",
    });
    const taken = { code: "conflict", place: "id" };
    const { id } = await submit();
    await expect(submit({ id, pipelineId })).rejects.toMatchObject(taken);
    await expect(submit({ id, retriedFrom: (await submit()).id })).rejects.toMatchObject(taken);
    const accepted = store.runs.accept({ ...newRun, id, pipelineId, config: null }, () => []);
    await expect(accepted).rejects.toMatchObject(taken);
  });

  it("knows no unknown pipeline, and takes no text that cannot be kept", async () => {
    await expect(submit({ pipelineId: newId<PipelineId>() })).rejects.toMatchObject({ code: "not_found" });
    await expect(submit({ gitRef: "a\0b" })).rejects.toMatchObject({ code: "config_invalid" });
  });
});
