import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type PipelineId, Problem, type ProjectId, type RunId } from "../../src/kernel/index.ts";
import { configDigest } from "../../src/store/index.ts";
import {
  advance,
  createFixture,
  type Fixture,
  finish,
  frontier,
  registerNode,
  stepPlan,
  steps,
} from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const accept = async (count = 1) =>
  await fixture.store.runs.accept(fixture.newRun, () => [{ type: "build", steps: steps(count) }]);

describe("ensure", () => {
  it("makes each row once, whoever asks at the same time", async () => {
    const { store } = fixture;
    const ten = <T>(make: () => Promise<T>) => Promise.all(Array.from({ length: 10 }, make));
    const projects = await ten(() => store.projects.ensure("raced"));
    expect(new Set(projects.map(({ id }) => id)).size).toBe(1);
    const projectId = projects[0]?.id ?? newId();
    const repositories = await ten(() =>
      store.repositories.ensure({
        projectId,
        vcsProvider: "git",
        cloneUrl: "https://example.test/r",
        defaultBranch: null,
      }),
    );
    expect(new Set(repositories.map(({ id }) => id)).size).toBe(1);
    const repositoryId = repositories[0]?.id ?? newId();
    const pipelines = await ten(() =>
      store.pipelines.ensure({ repositoryId, name: "main", triggerType: "manual" }),
    );
    expect(new Set(pipelines.map(({ id }) => id)).size).toBe(1);
    const [pipeline] = pipelines;
    expect(await store.projects.get(projectId)).toEqual(projects[0]);
    expect(await store.projects.named("raced")).toEqual(projects[0]);
    expect(await store.repositories.get(repositoryId)).toEqual(repositories[0]);
    expect(await store.pipelines.get(pipeline?.id ?? newId())).toEqual(pipeline);
    expect((await store.repositories.list({ projectId })).items).toEqual([repositories[0]]);
    expect((await store.pipelines.list({ repositoryId })).items).toMatchObject([pipeline]);
  });
});

describe("accept", () => {
  it("gives numbers without gaps or doubles to concurrent runs, and plans with them", async () => {
    const { store } = fixture;
    const planned: number[] = [];
    const accepted = await Promise.all(
      Array.from({ length: 12 }, () =>
        store.runs.accept(fixture.newRun, ({ number }) => {
          planned.push(number);
          return [{ type: "build", steps: [stepPlan(`number-${number}`)] }];
        }),
      ),
    );
    const numbers = accepted.map(({ number }) => number).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    expect(planned.sort((a, b) => a - b)).toEqual(numbers);
    for (const { id, number } of accepted)
      expect((await store.steps.ofRun(id)).map(({ name }) => name)).toEqual([`number-${number}`]);
  });

  it("leaves no run and no gap when the plan is refused", async () => {
    const { store } = fixture;
    const before = await accept();
    const refusal = new Problem("config_invalid", "no");
    await expect(
      store.runs.accept(fixture.newRun, () => {
        throw refusal;
      }),
    ).rejects.toBe(refusal);
    const twice = () =>
      store.runs.accept(fixture.newRun, () => [
        { type: "build", steps: steps(1) },
        { type: "build", steps: steps(1) },
      ]);
    await expect(twice()).rejects.toMatchObject({ code: "23505" });
    expect((await accept()).number).toBe(before.number + 1);
  });

  it("refuses what could never end: no job, a job without steps", async () => {
    const { store } = fixture;
    const refusal = { code: "config_invalid" };
    await expect(store.runs.accept(fixture.newRun, () => [])).rejects.toMatchObject(refusal);
    const empty = () => store.runs.accept(fixture.newRun, () => [{ type: "test", steps: [] }]);
    await expect(empty()).rejects.toMatchObject(refusal);
    expect(await store.runs.accept({ ...fixture.newRun, config: null }, () => [])).toMatchObject({ seq: 2 });
  });

  it("gives back which stages were asked for", async () => {
    const { store, newRun } = fixture;
    const asked = { ...newRun, config: null, requestedStages: ["build", "test"] } as const;
    const { id } = await store.runs.accept(asked, () => []);
    expect((await store.runs.get(id))?.requested_stages).toEqual(["build", "test"]);
  });

  it("knows no unknown pipeline", async () => {
    const pipelineId = newId<PipelineId>();
    await expect(
      fixture.store.runs.accept({ ...fixture.newRun, pipelineId }, () => []),
    ).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("stores a configuration once, by the digest of its content", async () => {
    const { store } = fixture;
    const config = { build: null, test: null, deploy: null, submodules: true };
    const reordered = { submodules: true, deploy: null, test: null, build: null };
    expect(configDigest(config)).toBe(configDigest(reordered));
    const runs = await Promise.all(
      [config, reordered].map((one) =>
        store.runs.accept({ ...fixture.newRun, config: one }, () => [{ type: "build", steps: steps(1) }]),
      ),
    );
    const rows = await Promise.all(runs.map(({ id }) => store.runs.get(id)));
    expect(rows.map((row) => row?.config_digest)).toEqual([configDigest(config), configDigest(config)]);
    expect((await store.pipelines.config(configDigest(config)))?.config).toEqual(config);
  });

  it("writes the first of the run's history", async () => {
    const { id, seq } = await accept();
    const transitions = await fixture.store.transitions.after(id, 0);
    expect(
      transitions.map(({ entity, from_state, to_state, cause }) => [entity, from_state, to_state, cause]),
    ).toEqual([
      ["run", null, "pending", "trigger"],
      ["phase", null, "submitted", "trigger"],
      ["job", null, "pending", "trigger"],
    ]);
    expect(seq).toBe(3);
    expect(await fixture.store.transitions.after(id, 2)).toEqual(transitions.slice(2));
  });

  it("takes a thousand steps", async () => {
    const { id } = await accept(1000);
    const rows = await fixture.store.steps.ofRun(id);
    expect(rows.map(({ name }) => name)).toEqual(steps(1000).map(({ name }) => name));
  });
});

describe("a request to cancel", () => {
  it("is recorded once, with who asked", async () => {
    const { store } = fixture;
    const { id } = await accept();
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
    const { id } = await accept();
    const { run, steps: shown } = await frontier(store, id);
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
    const { id } = await accept();
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
    const { id } = await accept();
    await advance(fixture, id);
    const others = await Promise.all([registerNode(store), registerNode(store)]);
    const taken = await Promise.all(others.map((other) => store.runs.takeOver(id, owner, other)));
    expect(taken.sort()).toEqual([false, true]);
    const run = await store.runs.get(id);
    const winner = others.find(({ node }) => node === run?.owner_node);
    expect(winner).toBeDefined();
    const [execution] = await store.executions.ofRun(id);
    expect(execution).toMatchObject({ node: winner?.node, epoch: winner?.epoch });
    await expect(advance(fixture, id, { ends: { "step-0": "succeeded" } })).rejects.toThrow("moved on");
    await advance(fixture, id, { ends: { "step-0": "succeeded" }, owner: winner ?? owner });
    expect(await store.runs.takeOver(id, winner ?? owner, owner)).toBe(false);
  });

  it("leaves a run with what is live in it, once, and not one of somebody else", async () => {
    const { store, owner } = fixture;
    const { id } = await accept();
    await advance(fixture, id);
    const heir = await registerNode(store);
    expect(await store.runs.leave(id, heir)).toBe(false);
    expect(await store.runs.leave(id, owner)).toBe(true);
    expect(await store.runs.leave(id, owner)).toBe(false);
    expect(await store.runs.get(id)).toMatchObject({ owner_node: null, owner_epoch: null });
    expect(await store.executions.ofRun(id)).toMatchObject([{ node: owner.node, epoch: owner.epoch }]);
    await expect(advance(fixture, id, { ends: { "step-0": "succeeded" } })).rejects.toThrow("moved on");
    expect(await store.runs.takeOver(id, null, heir)).toBe(true);
    expect(await store.executions.ofRun(id)).toMatchObject([{ node: heir.node, epoch: heir.epoch }]);
    await advance(fixture, id, { ends: { "step-0": "succeeded" }, owner: heir });
    expect(await store.runs.leave(id, heir)).toBe(false);
  });

  it("sees its unfinished runs and what is live in them", async () => {
    const { store } = fixture;
    const owner = await registerNode(store);
    const make = async () =>
      (await store.runs.accept({ ...fixture.newRun, owner }, () => [{ type: "build", steps: steps(1) }])).id;
    const ids = [await make(), await make(), await make()];
    await advance(fixture, ids[1] ?? newId(), { owner });
    const finished = ids[2] ?? newId<RunId>();
    await advance(fixture, finished, { owner });
    await advance(fixture, finished, { owner, ends: { "step-0": "succeeded" } });
    const unfinished = await store.runs.unfinished({ owner: owner.node });
    expect(unfinished.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect((await store.runs.unfinished()).length).toBeGreaterThan(2);
    expect(await store.runs.unfinished({ owner: null })).toEqual([]);
    const live = await store.executions.live(owner.node);
    expect(live).toMatchObject([
      { runId: ids[1], jobType: "build", jobAttempt: 1, attempt: 1, executorType: "fake" },
    ]);
    expect(await store.executions.work(live.map(({ id }) => id))).toEqual(live);
  });
});

describe("finding a run", () => {
  it("goes by id, unique prefix, number and time", async () => {
    const { store } = fixture;
    const { id, number } = await accept();
    const run = await store.runs.get(id);
    expect(run).toMatchObject({
      id,
      number,
      project: "project",
      pipeline: "pipeline",
      clone_url: "/srv/repository",
    });
    expect(await store.runs.latest()).toEqual(run);
    expect(await store.runs.findByNumber(number)).toEqual([run]);
    expect(await store.runs.findByNumber(number, newId<ProjectId>())).toEqual([]);
    expect(await store.runs.findByNumber(number, null, run?.pipeline)).toEqual([run]);
    expect(await store.runs.findByNumber(number, null, "another")).toEqual([]);
    expect(await store.runs.findByPrefix(id.slice(0, 35))).toEqual([run]);
    expect(await store.runs.findByPrefix(id.toUpperCase())).toEqual([run]);
    await accept();
    expect(await store.runs.findByPrefix("0")).toHaveLength(2);
    for (const none of ["", "latest", "%", "0_", `${id}0`, "0000000000"])
      expect(await store.runs.findByPrefix(none)).toEqual([]);
    expect(await store.runs.get(newId<RunId>())).toBe(null);
    expect(await store.runs.summary(newId<RunId>())).toBe(null);
  });
});

describe("claiming", () => {
  const waiting = async (count: number) => {
    const owner = await registerNode(fixture.store);
    const group = steps(count).map((step) => ({ ...step, parallelGroup: "g" }));
    const { id } = await fixture.store.runs.accept({ ...fixture.newRun, owner }, () => [
      { type: "build", steps: group },
    ]);
    const snapshot = await frontier(fixture.store, id);
    const { plan } = await import("../../src/domain/index.ts");
    const { changes } = plan(snapshot, { settled: [], begun: [] });
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
    expect(rows.every(({ node, epoch }) => node === owner.node && epoch === owner.epoch)).toBe(true);
  });

  it("gives nothing to a passed epoch or an ended node, nor of a run to be canceled", async () => {
    const { store } = fixture;
    const { owner, id } = await waiting(3);
    expect(await store.executions.claim({ ...owner, epoch: owner.epoch + 1 }, 100)).toEqual([]);
    await store.runs.requestCancel(id, "ann");
    expect(await store.executions.claim(owner, 100)).toEqual([]);
    const other = await waiting(3);
    await store.nodes.end(other.owner);
    expect(await store.executions.claim(other.owner, 100)).toEqual([]);
  });

  it("follows a takeover", async () => {
    const { store } = fixture;
    const { owner, id } = await waiting(3);
    const heir = await registerNode(store);
    expect(await store.runs.takeOver(id, owner, heir)).toBe(true);
    expect(await store.executions.claim(owner, 100)).toEqual([]);
    expect(await store.executions.claim(heir, 100)).toHaveLength(2);
  });
});

describe("an execution's place and log", () => {
  it("is named once; the log's length may still come after the end", async () => {
    const { store } = fixture;
    const { id } = await accept();
    await advance(fixture, id);
    const execution = (await store.executions.ofRun(id))[0]?.id ?? newId();
    expect(await store.executions.place(execution, "job/1")).toBe(true);
    expect(await store.executions.place(execution, "job/1")).toBe(true);
    expect(await store.executions.place(execution, "job/2")).toBe(false);
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
