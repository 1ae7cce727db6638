import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChangeSet, RunSnapshot } from "../../src/domain/index.ts";
import {
  type ArtifactId,
  type ExecutionId,
  type JobId,
  newId,
  type RunId,
  type StepId,
} from "../../src/kernel/index.ts";
import { planRun } from "../support/plan.ts";
import {
  advance,
  artifact,
  completed,
  createFixture,
  type Fixture,
  finish,
  registerInstance,
  runSnapshot,
  stepPlan,
  steps,
} from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const nothing: ChangeSet = {
  run: null,
  jobs: [],
  steps: [],
  pendingSteps: [],
  executions: [],
  newExecutions: [],
  newJobs: [],
  artifacts: [],
};

async function accept(count = 2): Promise<RunId> {
  const { id } = await fixture.store.runs.accept(fixture.newRun, () => [
    { type: "build", steps: steps(count) },
  ]);
  return id;
}

/** All rows of a run, to see that nothing changed. */
async function everything(runId: RunId) {
  const summary = await fixture.store.runs.summary(runId);
  const transitions = await fixture.store.transitions.after(runId, 0, 1000);
  return { summary, transitions, deployments: await fixture.store.deployments.ofRun(runId) };
}

function changesOf(snapshot: RunSnapshot, ends = {}): ChangeSet {
  const { changes } = planRun(snapshot, { completed: completed(snapshot, { ends }), begun: [] });
  if (changes === null) throw new Error("nothing to change");
  return changes;
}

const apply = (id: RunId, seq: number, changes: ChangeSet, owner = fixture.owner) =>
  fixture.store.runs.apply(id, owner, seq, changes, { cause: "test" });

describe("apply", () => {
  it("carries a run from its acceptance to success, and its history replays it", async () => {
    const { store } = fixture;
    const { id } = await store.runs.accept(fixture.newRun, () => [
      { type: "build", steps: steps(2) },
      { type: "test", steps: [stepPlan("a", { parallelGroup: "g" }), stepPlan("b", { parallelGroup: "g" })] },
    ]);
    await finish(fixture, id);
    const { summary, transitions } = await everything(id);
    expect(summary?.run).toMatchObject({ status: "success", phase: "tested", failure_reason: null });
    expect(summary?.run.seq).toBe(transitions.length);
    expect(transitions.map(({ seq }) => seq)).toEqual(transitions.map((_, index) => index + 1));
    const states = new Map<string, string>();
    for (const { entity, entity_id, from_state, to_state } of transitions) {
      const key = `${entity} ${entity_id}`;
      expect(states.get(key) ?? (entity === "step" ? "pending" : null), key).toBe(from_state);
      states.set(key, to_state);
    }
    expect(states.get(`run ${id}`)).toBe("success");
    expect(states.get(`phase ${id}`)).toBe("tested");
    for (const job of summary?.jobs ?? []) expect(states.get(`job ${job.id}`)).toBe(job.status);
    for (const step of summary?.steps ?? []) expect(states.get(`step ${step.id}`)).toBe(step.status);
    for (const one of summary?.executions ?? []) {
      expect(states.get(`execution ${one.id}`)).toBe("succeeded");
      expect(one).toMatchObject({ exit_code: 0, log_bytes: 12, log_dropped: 0, executor_type: "fake" });
    }
  });

  it("takes begun_at from the evidence and every other time from the database", async () => {
    const id = await accept(1);
    await advance(fixture, id);
    const snapshot = await runSnapshot(fixture.store, id);
    const begunAt = new Date("2001-02-03T04:05:06.789Z");
    const execution = snapshot.executions[0]?.id ?? newId<ExecutionId>();
    const { changes } = planRun(snapshot, { completed: [], begun: [{ executionId: execution, begunAt }] });
    await apply(id, snapshot.run.seq, changes ?? nothing);
    const row = await fixture.store.executions.get(execution);
    expect(row).toMatchObject({ status: "running", begun_at: begunAt, completed_at: null });
    await finish(fixture, id);
    const [{ ok } = { ok: false }] = await fixture.database.query<{ ok: boolean }>(
      `select r.finished_at = e.completed_at and e.completed_at > r.started_at as ok
       from pipeline_runs r join executions e on e.pipeline_run_id = r.id where r.id = $1::uuid`,
      [id],
    );
    expect(ok).toBe(true);
  });

  it("lets one of two concurrent advances win", async () => {
    const id = await accept();
    const snapshot = await runSnapshot(fixture.store, id);
    const results = await Promise.all(
      Array.from({ length: 8 }, () => apply(id, snapshot.run.seq, changesOf(snapshot))),
    );
    expect(results.filter((result) => result !== null)).toHaveLength(1);
    expect(await fixture.store.executions.ofRun(id)).toHaveLength(1);
  });

  it("changes nothing for a passed seq, another node, a passed epoch, an unknown run", async () => {
    const id = await accept();
    const snapshot = await runSnapshot(fixture.store, id);
    const changes = changesOf(snapshot);
    const before = await everything(id);
    const { owner } = fixture;
    expect(await apply(id, snapshot.run.seq - 1, changes)).toBe(null);
    expect(await apply(id, snapshot.run.seq, changes, await registerInstance(fixture.store))).toBe(null);
    expect(await apply(id, snapshot.run.seq, changes, { ...owner, epoch: owner.epoch + 1 })).toBe(null);
    expect(await apply(newId<RunId>(), snapshot.run.seq, changes)).toBe(null);
    expect(await everything(id)).toEqual(before);
  });

  it("leaves nothing when any part does not fit", async () => {
    const id = await accept();
    const other = await accept();
    await advance(fixture, id);
    await advance(fixture, other);
    const snapshot = await runSnapshot(fixture.store, id);
    const foreign = await runSnapshot(fixture.store, other);
    const good = changesOf(snapshot, { "step-0": "succeeded" });
    const foreignStep = foreign.steps[0]?.id ?? newId<StepId>();
    const foreignExecution = foreign.executions[0]?.id ?? newId<ExecutionId>();
    const job = snapshot.jobs[0]?.id ?? newId<JobId>();
    const step = snapshot.steps[0]?.id ?? newId<StepId>();
    const output = artifact("app");
    const bad: Record<string, ChangeSet> = {
      "a step that is not there": {
        ...good,
        steps: [...good.steps, { id: newId<StepId>(), from: "pending", to: "running" }],
      },
      "another run's step": {
        ...good,
        steps: [...good.steps, { id: foreignStep, from: "running", to: "succeeded" }],
      },
      "a step moved twice from one state": { ...good, steps: [...good.steps, ...good.steps] },
      "a move that is none": { ...good, steps: [{ id: step, from: "running", to: "skipped" }] },
      "another run's execution": {
        ...good,
        executions: [
          {
            id: foreignExecution,
            path: ["pending", "failed"],
            reason: "internal",
            message: null,
            begunAt: null,
            outcome: null,
          },
        ],
      },
      "a second live execution": {
        ...nothing,
        newExecutions: [{ id: newId<ExecutionId>(), stepId: step, attempt: 2 }],
      },
      "another run's step started": {
        ...good,
        newExecutions: [{ id: newId<ExecutionId>(), stepId: foreignStep, attempt: 2 }],
      },
      "a job believed elsewhere": {
        ...good,
        jobs: [{ id: job, path: ["pending", "running"], reason: null, message: null }],
      },
      "a failed job without a reason": {
        ...good,
        jobs: [{ id: job, path: ["running", "failed"], reason: null, message: null }],
      },
      "another attempt of a job that did not fail": {
        ...good,
        newJobs: [{ id: newId<JobId>(), previous: job, attempt: 2 }],
      },
      "a run believed elsewhere": {
        ...good,
        run: { status: { from: "pending", to: "running" }, phase: null, reason: null, message: null },
      },
      "a phase that goes back": {
        ...good,
        run: { status: null, phase: { from: "building", to: "submitted" }, reason: null, message: null },
      },
      "another run's artifact": {
        ...good,
        artifacts: [{ id: newId<ArtifactId>(), executionId: foreignExecution, output }],
      },
    };
    const before = await everything(id);
    const beforeForeign = await everything(other);
    for (const [what, changes] of Object.entries(bad)) {
      await expect(apply(id, snapshot.run.seq, changes), what).rejects.toMatchObject({ code: "internal" });
      expect(await everything(id), what).toEqual(before);
    }
    expect(await everything(other)).toEqual(beforeForeign);
    expect(await apply(id, snapshot.run.seq, good)).not.toBe(null);
  });

  it("changes nothing of a final run", async () => {
    const id = await accept(1);
    await finish(fixture, id);
    const run = await fixture.store.runs.get(id);
    const before = await everything(id);
    const changes = {
      ...nothing,
      run: {
        status: { from: "success", to: "failed" } as const,
        phase: null,
        reason: "internal" as const,
        message: null,
      },
    };
    await expect(apply(id, run?.seq ?? 0, changes)).rejects.toMatchObject({ code: "internal" });
    expect(await everything(id)).toEqual(before);
  });

  it("skips what a failure leaves pending, with a transition for each", async () => {
    const id = await accept(40);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { "step-0": "failed" } });
    const { summary, transitions } = await everything(id);
    expect(summary?.run).toMatchObject({
      status: "failed",
      failure_reason: "script_failed",
      seq: transitions.length,
    });
    expect(summary?.run.failure_message).toContain("step-0");
    expect(summary?.steps.map(({ status }) => status)).toEqual(["failed", ...Array(39).fill("skipped")]);
    expect(transitions.filter(({ to_state }) => to_state === "skipped")).toHaveLength(39);
    expect(new Set(transitions.map(({ seq }) => seq)).size).toBe(transitions.length);
    expect(transitions.at(-1)).toMatchObject({
      entity: "run",
      to_state: "failed",
      evidence: { reason: "script_failed" },
    });
  });

  it("makes a further attempt of a job with new, pending steps", async () => {
    const { store } = fixture;
    const retry = { max: 1, on: ["script_failed"] } as const;
    const { id } = await store.runs.accept(fixture.newRun, () => [
      { type: "build", steps: [stepPlan("a", { retry }), stepPlan("b")] },
    ]);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { a: "failed" } });
    const jobs = await store.jobs.ofRun(id);
    expect(jobs.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, "failed"],
      [2, "pending"],
    ]);
    const made = await store.steps.ofJob(jobs[1]?.id ?? newId<JobId>());
    expect(made.map(({ name, status, execution_order }) => [name, status, execution_order])).toEqual([
      ["a", "pending", 0],
      ["b", "pending", 1],
    ]);
    expect((await runSnapshot(store, id)).steps.map(({ name, attempts }) => [name, attempts])).toEqual([
      ["a", 0],
    ]);
    await finish(fixture, id);
    expect(await store.runs.get(id)).toMatchObject({ status: "success" });
  });

  it("starts a step anew in place after an attempt that never began", async () => {
    const id = await accept(1);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { "step-0": "lost" }, began: "never" });
    const executions = await fixture.store.executions.ofRun(id);
    expect(executions.map(({ attempt, status, begun_at }) => [attempt, status, begun_at])).toEqual([
      [1, "lost", null],
      [2, "pending", null],
    ]);
    const [step] = (await runSnapshot(fixture.store, id)).steps;
    expect(step).toMatchObject({ status: "running", attempts: 2 });
  });

  it("registers artifacts with the success that they prove", async () => {
    const { store } = fixture;
    const id = await accept(1);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { "step-0": "succeeded" }, artifacts: { "step-0": ["app", "lib"] } });
    const made = await store.artifacts.ofRun(id);
    const [execution] = await store.executions.ofRun(id);
    expect(made.map(({ name }) => name)).toEqual(["app", "lib"]);
    expect(made[0]).toMatchObject({
      execution_id: execution?.id,
      size: 3,
      storage_backend: "filesystem",
      expired_at: null,
    });
    expect(made[0]?.metadata).toEqual({ form: "file", path: "bin/app" });
    expect(await store.artifacts.named(id, "lib")).toEqual(made[1]);
    expect(await store.artifacts.get(made[0]?.id ?? newId<ArtifactId>())).toEqual(made[0]);
    expect(await store.artifacts.findByPrefix((made[0]?.id ?? "").toUpperCase())).toEqual([made[0]]);
    expect(await store.artifacts.findByPrefix("no id")).toEqual([]);
  });

  it("refuses two artifacts of one name from one execution", async () => {
    const id = await accept(1);
    await advance(fixture, id);
    await expect(
      advance(fixture, id, { ends: { "step-0": "succeeded" }, artifacts: { "step-0": ["app", "app"] } }),
    ).rejects.toMatchObject({ code: "internal" });
    expect(await fixture.store.artifacts.ofRun(id)).toEqual([]);
  });
});
