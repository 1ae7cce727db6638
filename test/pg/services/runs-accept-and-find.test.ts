import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId, type PipelineId, Problem, type ProjectId, type RunId } from "../../../src/kernel/index.ts";
import { pipelineReadings } from "../../../src/services/runs/references.ts";
import { configDigest, type NewAuditEntry } from "../../../src/store/index.ts";
import { accept, createFixture, type Fixture, stepPlan, steps } from "../fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

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
    const before = await accept(fixture);
    const unavailableReason = new Problem("config_invalid", "no");
    await expect(
      store.runs.accept(fixture.newRun, () => {
        throw unavailableReason;
      }),
    ).rejects.toBe(unavailableReason);
    const twice = () =>
      store.runs.accept(fixture.newRun, () => [
        { type: "build", steps: steps(1) },
        { type: "build", steps: steps(1) },
      ]);
    await expect(twice()).rejects.toMatchObject({ code: "23505" });
    expect((await accept(fixture)).number).toBe(before.number + 1);
  });

  it("refuses what could never end: no job, a job without steps", async () => {
    const { store } = fixture;
    const unavailableReason = { code: "config_invalid" };
    await expect(store.runs.accept(fixture.newRun, () => [])).rejects.toMatchObject(unavailableReason);
    const empty = () => store.runs.accept(fixture.newRun, () => [{ type: "test", steps: [] }]);
    await expect(empty()).rejects.toMatchObject(unavailableReason);
    expect(await store.runs.accept({ ...fixture.newRun, config: null }, () => [])).toMatchObject({ seq: 2 });
  });

  it("gives back which stages were asked for", async () => {
    const { store, newRun } = fixture;
    const asked = { ...newRun, config: null, requestedStages: ["build", "test"] } as const;
    const { id } = await store.runs.accept(asked, () => []);
    expect((await store.runs.get(id))?.requested_stages).toEqual(["build", "test"]);
  });

  it("writes down who asked together with the run, also when it is asked for again", async () => {
    const { store, newRun } = fixture;
    const id = newId<RunId>();
    const entry = (by: string): NewAuditEntry => ({
      by_name: by,
      token_id: null,
      action: "runs.retry",
      project_id: null,
      entity_id: id,
      outcome: "done",
      request_id: "request",
    });
    const audited = (by: string) => store.runs.accept({ ...newRun, id, config: null }, () => [], entry(by));
    const names = async () => (await store.audit.list()).items.map(({ by_name }) => by_name);
    const nothing = () => store.runs.accept(newRun, () => [], entry("nobody"));
    await expect(nothing()).rejects.toMatchObject({ code: "config_invalid" });
    expect(await names()).toEqual([]);
    await audited("ada");
    const found = await fixture.database.query<{ together: boolean }>(
      `select r.xmin = a.xmin as together from pipeline_runs r join audit_log a on a.entity_id = r.id::text
       where r.id = $1::uuid`,
      [id],
    );
    expect(found).toEqual([{ together: true }]);
    await audited("grace");
    expect(await names()).toEqual(["grace", "ada"]);
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
    const { id, seq } = await accept(fixture);
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
    const { id } = await accept(fixture, 1000);
    const rows = await fixture.store.steps.ofRun(id);
    expect(rows.map(({ name }) => name)).toEqual(steps(1000).map(({ name }) => name));
  });
});

describe("finding a run", () => {
  it("goes by id, unique prefix, number and time", async () => {
    const { store } = fixture;
    const { id, number } = await accept(fixture);
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
    expect(await store.runs.findByNumber(number, null, pipelineReadings(run?.pipeline ?? ""))).toEqual([run]);
    expect(await store.runs.findByNumber(number, null, pipelineReadings("another"))).toEqual([]);
    expect(await store.runs.findByPrefix(id.slice(0, 35))).toEqual([run]);
    expect(await store.runs.findByPrefix(id.toUpperCase())).toEqual([run]);
    await accept(fixture);
    expect(await store.runs.findByPrefix("0")).toHaveLength(11);
    for (const none of ["", "latest", "%", "0_", `${id}0`, "0000000000"])
      expect(await store.runs.findByPrefix(none)).toEqual([]);
    expect(await store.runs.get(newId<RunId>())).toBe(null);
    expect(await store.runs.summary(newId<RunId>())).toBe(null);
  });
});
