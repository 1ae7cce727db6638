import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type PipelineId, type RunId } from "../../src/kernel/index.ts";
import type { NewAuditEntry, RunRow, SubmittedRun } from "../../src/store/index.ts";
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
      reused_stages: [],
      owner_id: owner.instance,
      owner_epoch: owner.epoch,
      seq: 2,
    });
    const history = await store.transitions.after(id, 0);
    expect(history).toMatchObject([
      { seq: 1, entity: "run", from_state: null, to_state: "pending", cause: "trigger" },
      { seq: 2, entity: "phase", from_state: null, to_state: "submitted", cause: "trigger" },
    ]);
    expect((await store.runs.snapshot(id))?.run).toMatchObject({ resolved: false, status: "pending" });
  });

  it("gives numbers without gaps or doubles to whoever asks at the same time", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => submit()));
    const numbers = made.map(numberOf).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
  });

  it("gives numbers in the order of the requests, whatever they came with", async () => {
    const ask = { gitSha: "a".repeat(40), requestedStages: null };
    const made = [await submit(), await submit(ask), await submit({ gitRef: 'ümläut "and" {more}' })];
    const [first = 0, second, third] = made.map(numberOf);
    expect([second, third]).toEqual([first + 1, first + 2]);
    for (const { id, written } of made) expect(written).toEqual(await fixture.store.runs.get(id));
    expect(made[1]?.written).toMatchObject({ git_sha: ask.gitSha, requested_stages: null, seq: 2 });
    expect(made[2]?.written?.git_ref).toBe('ümläut "and" {more}');
  });

  it("keeps nobody out for what is refused of another", async () => {
    const { id, written } = await submit();
    const unknown = { retriedFrom: newId<RunId>() };
    const all = [submit(), submit(), submit(unknown), submit(), submit({ id })];
    const made = await Promise.allSettled(all);
    expect(made.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(numberOf(await submit())).toBe((written?.number ?? 0) + 4);
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

  it("writes down who asked together with the run, each time that it is asked for", async () => {
    const { store } = fixture;
    const id = newId<RunId>();
    const entry = (by: string, entity: RunId): NewAuditEntry => ({
      by_name: by,
      token_id: null,
      action: "runs.trigger",
      project_id: null,
      entity_id: entity,
      outcome: "done",
      request_id: "request",
    });
    const audited = (by: string) => store.runs.submit({ ...asked, id }, entry(by, id));
    await Promise.all([audited("ada"), submit(), audited("grace\0"), audited("edsger")]);
    await audited("barbara");
    const unknown = { ...asked, pipelineId: newId<PipelineId>() };
    await expect(store.runs.submit(unknown, entry("nobody", newId()))).rejects.toThrow();
    const { items } = await store.audit.list();
    expect(items.map(({ id: _, created_at: __, ...written }) => written)).toEqual(
      expect.arrayContaining(["ada", "grace\ufffd", "edsger", "barbara"].map((by) => entry(by, id))),
    );
    expect(items).toHaveLength(4);
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
