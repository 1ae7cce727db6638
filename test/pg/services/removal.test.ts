/** What becomes of pipelines and projects that are removed, with and without runs. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PipelineId, Problem, silentLogger, systemClock } from "../../../src/kernel/index.ts";
import type { Caller, Client } from "../../../src/services/index.ts";
import { expireRuns } from "../../../src/services/maintenance/retention.ts";
import { advance, stepPlan } from "../fixture.ts";
import { createServiceBench, type ServiceBench } from "../operations-bench.ts";

let bench: ServiceBench;
let local: Client;
let admin: Caller;
beforeAll(async () => {
  bench = await createServiceBench();
  ({ local } = bench);
  admin = await bench.caller("admin", null);
});
afterAll(() => bench[Symbol.asyncDispose]());

const signal = new AbortController().signal;
let count = 0;
let name: string;
let project: string;
let repository: string;
let pipeline: string;
beforeEach(async () => {
  name = `web-${++count}`;
  ({ id: project } = await local.projects.create({ name }));
  const clone_url = `https://git.example/${name}.git`;
  ({ id: repository } = await local.repositories.create({ project_id: project, clone_url }));
  ({ id: pipeline } = await local.pipelines.create({ repository_id: repository, name: "app" }));
});

/** A run of the pipeline that has ended. */
async function ended(id = pipeline): Promise<string> {
  const { fixture } = bench;
  const run = await fixture.store.runs.accept(
    { ...fixture.newRun, config: null, pipelineId: id as PipelineId },
    () => [{ type: "build", steps: [stepPlan("make")] }],
  );
  while (await advance(fixture, run.id, { ends: { make: "succeeded" } }));
  return run.id;
}

const trigger = (reference: string, client = local) =>
  client.trigger(
    {
      source: { kind: "pipeline", pipeline: reference, ref: null, sha: null, validate: "later" },
      only: null,
      by: "x",
    },
    signal,
  );

const unavailableReason = (work: Promise<unknown>): Promise<Problem> =>
  work.then(
    () => {
      throw new Error("it was allowed");
    },
    (error: unknown) => Problem.from(error),
  );

const pipelinesOf = async () =>
  (await local.pipelines.list({ project_id: project })).items.map((one) => one.id);

/** As a server's hourly turn, so many days from now. */
async function purgeAfter(days: number): Promise<void> {
  const { store } = bench.fixture;
  const now = () => new Date(Date.now() + days * 86_400_000);
  await expireRuns(
    {
      database: async () => ({ store, artifacts: bench.artifacts }),
      logs: bench.logs,
      retentionDays: 90,
      clock: { ...systemClock, now },
      log: silentLogger,
    },
    signal,
  );
}

describe("a pipeline", () => {
  it("without runs is gone when it is removed", async () => {
    await local.pipelines.remove(`${name}/app`);
    expect(await pipelinesOf()).toEqual([]);
    expect((await unavailableReason(local.pipelines.get(pipeline))).code).toBe("not_found");
    expect((await unavailableReason(trigger(`${name}/app`))).code).toBe("not_found");
  });

  it("with runs leaves the lists and takes no runs, and says so", async () => {
    const run = await ended();
    await local.pipelines.remove(pipeline);
    expect(await pipelinesOf()).toEqual([]);
    for (const work of [
      () => trigger(pipeline),
      () => trigger(`${name}/app`),
      () => local.retry({ run, by: "x" }),
      () => local.pipelines.get(pipeline),
      () => local.pipelines.update(pipeline, { name: "other" }),
      () => local.pipelines.remove(pipeline),
    ]) {
      const { code, message, remedy } = await unavailableReason(work());
      expect([code, remedy]).toEqual(["gone", expect.stringContaining("pipeline add")]);
      expect(message).toMatch(/^The pipeline \S*app \(removed \d{4}-[\dT:.-]+Z\) takes no runs any more\.$/);
    }
  });

  it("that is removed keeps its runs until retention", async () => {
    const run = await ended();
    await local.pipelines.remove(pipeline);
    const kept = await local.get(run);
    expect(kept).toMatchObject({ status: "success", project: name });
    expect(kept.pipeline).toMatch(/^app \(removed /);
    expect((await local.list({ pipeline: `${name}/${kept.pipeline}` })).items).toMatchObject([{ id: run }]);
    expect((await local.get(`${name}/${kept.pipeline}#${kept.number}`)).id).toBe(run);
    await purgeAfter(89);
    expect((await local.get(run)).id).toBe(run);
    await purgeAfter(91);
    expect((await unavailableReason(local.get(run))).code).toBe("not_found");
    expect((await unavailableReason(local.pipelines.get(pipeline))).code).toBe("not_found");
    expect((await local.repositories.get(repository)).id).toBe(repository);
  });

  it("that is removed gives its name up, again and again", async () => {
    const seen = new Set<string>();
    for (let turn = 0; turn < 3; turn += 1) {
      seen.add(await ended());
      await local.pipelines.remove(`${name}/app`);
      ({ id: pipeline } = await local.pipelines.create({ repository_id: repository, name: "app" }));
      expect((await trigger(`${name}/app`)).run).toMatchObject({ number: 1, pipeline_id: pipeline });
      await bench.fixture.store.runs.list();
      ({ id: pipeline } = await local.pipelines.create({ repository_id: repository, name: `app-${turn}` }));
      const { items } = await local.list({ pipeline: `${name}/app` });
      expect(items).toHaveLength(1);
      await local.pipelines.update(`${name}/app`, { name: `old-${turn}` });
      ({ id: pipeline } = await local.pipelines.create({ repository_id: repository, name: "app" }));
    }
    for (const run of seen) expect((await local.get(run)).pipeline).toMatch(/^app \(removed /);
  });

  it("is not removed while runs of it are not over", async () => {
    const { run } = await trigger(pipeline);
    const { code, message } = await unavailableReason(local.pipelines.remove(pipeline));
    expect([code, message]).toEqual(["conflict", "The pipeline has runs that are not over: app#1."]);
    expect((await local.get(run.id)).pipeline).toBe("app");
    expect(await pipelinesOf()).toEqual([pipeline]);
  });

  it("takes no run that comes in at the moment of its removal", async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const { id } = await local.pipelines.create({ repository_id: repository, name: `raced-${turn}` });
      await ended(id);
      const [accepted, removed] = await Promise.allSettled([trigger(id), local.pipelines.remove(id)]);
      expect([accepted.status, removed.status].toSorted()).toEqual(["fulfilled", "rejected"]);
      const lost = accepted.status === "rejected" ? accepted : removed;
      const { code } = Problem.from((lost as PromiseRejectedResult).reason);
      expect(code).toBe(lost === accepted ? "gone" : "conflict");
    }
  });

  it("that is removed never changes, whatever program asks", async () => {
    await ended();
    await local.pipelines.remove(pipeline);
    const older = "update pipelines set next_number = next_number + 1 where id = $1::uuid";
    await expect(bench.fixture.database.execute(older, [pipeline])).rejects.toThrow(
      "a removed pipeline never changes",
    );
  });

  it("is renamed with its runs, and not to a name that is taken", async () => {
    const run = await ended();
    await local.pipelines.create({ repository_id: repository, name: "taken" });
    expect(await local.pipelines.update(`${name}/app`, { name: "site" })).toMatchObject({ name: "site" });
    expect((await local.get(`${name}/site#1`)).id).toBe(run);
    expect((await unavailableReason(local.get(`${name}/app#1`))).code).toBe("not_found");
    expect((await unavailableReason(local.pipelines.update(pipeline, { name: "taken" }))).code).toBe(
      "conflict",
    );
  });
});

describe("a project", () => {
  it("that has something is not removed, and says what", async () => {
    await local.secrets.put(project, "KEY", "a value");
    await local.registries.put(project, "registry.test", { username: "u", secret: "KEY" });
    await local.tokens.create({ name: "t", scope: "read", project_id: project });
    await local.tokens.create({ name: "u", scope: "read", project_id: project });
    const { code, message, remedy, details } = await unavailableReason(local.projects.remove(name));
    expect(code).toBe("conflict");
    expect(message).toBe(
      `The project ${name} is not empty: it has 1 pipeline (app), 1 repository (https://git.example/${name}.git), 1 secret, 1 registry login, 2 tokens.`,
    );
    expect(remedy).toMatch(/shipinator project remove \S+ --force/);
    expect(details).toEqual({
      pipelines: ["app"],
      repositories: [`https://git.example/${name}.git`],
      secrets: 1,
      registry_logins: 1,
      tokens: 2,
    });
    expect(await pipelinesOf()).toEqual([pipeline]);
    expect(await local.secrets.list(project)).toHaveLength(1);
  });

  it("that is empty is gone", async () => {
    await local.pipelines.remove(pipeline);
    await local.repositories.remove(repository);
    await local.projects.remove(name);
    expect((await unavailableReason(local.projects.get(project))).code).toBe("not_found");
  });

  it("whose pipelines were removed is empty but for their history, which stays", async () => {
    const run = await ended();
    await local.pipelines.remove(pipeline);
    await local.projects.remove(name);
    expect((await unavailableReason(local.projects.get(name))).code).toBe("not_found");
    const kept = await local.get(run);
    expect(kept.project).toMatch(new RegExp(`^${name} \\(removed `));
    const { id } = await local.projects.create({ name });
    expect((await local.projects.get(name)).id).toBe(id);
  });

  it("is removed with all that is in it: nothing of it holds, its runs stay until retention", async () => {
    const run = await ended();
    const { token } = await local.tokens.create({ name: "t", scope: "read", project_id: project });
    await local.secrets.put(project, "KEY", "a value");
    await local.registries.put(project, "registry.test", { username: "u", secret: "KEY" });
    await local.projects.remove(name, "remove");

    for (const work of [
      () => local.projects.get(project),
      () => local.projects.get(name),
      () => local.repositories.get(repository),
      () => local.secrets.list(project),
      () => local.registries.list(project),
      () => local.repositories.create({ project_id: project, clone_url: "https://git.example/late.git" }),
      () => local.pipelines.create({ repository_id: repository, name: "late" }),
      () => local.tokens.create({ name: "late", scope: "read", project_id: project }),
      () => local.projects.remove(project, "remove"),
    ])
      expect((await unavailableReason(work())).code).toBe("not_found");
    expect((await unavailableReason(bench.operations.authenticate(token, null))).code).toBe("unauthorized");
    const listed = [
      ...(await local.projects.list({ limit: 1000 })).items,
      ...(await local.repositories.list({ limit: 1000 })).items,
      ...(await local.pipelines.list({ limit: 1000 })).items,
    ].map(({ id }) => id);
    expect(listed).not.toEqual(expect.arrayContaining([project]));
    for (const id of [project, repository, pipeline]) expect(listed).not.toContain(id);
    expect((await unavailableReason(trigger(`${name}/app`))).code).toBe("gone");
    expect((await unavailableReason(trigger(pipeline))).code).toBe("gone");
    expect((await local.get(run)).project).toMatch(/ \(removed /);

    await purgeAfter(91);
    expect((await unavailableReason(local.get(run))).code).toBe("not_found");
    const left = await bench.fixture.database.query(
      "select 1 from projects where id = $1::uuid union all select 1 from repositories where project_id = $1::uuid",
      [project],
    );
    expect(left).toEqual([]);
  });

  it("is not removed while runs of it are not over, whatever is asked", async () => {
    await trigger(pipeline);
    const { code, message } = await unavailableReason(local.projects.remove(name, "remove"));
    expect([code, message]).toEqual(["conflict", "The project has runs that are not over: app#1."]);
    expect((await local.projects.get(name)).id).toBe(project);
  });
});

it("a removal stands in the audit, done or refused", async () => {
  const client = bench.operations.as(admin);
  await ended();
  await unavailableReason(client.projects.remove(name));
  await client.pipelines.remove(pipeline);
  await client.projects.remove(name, "remove");
  const { items } = await local.audit({ limit: 3 });
  expect(items.map(({ action, entity_id, outcome }) => [action, entity_id, outcome])).toEqual([
    ["projects.remove", project, "done"],
    ["pipelines.remove", pipeline, "done"],
    ["projects.remove", project, "refused"],
  ]);
});

describe("whoever asks", () => {
  it("is told who they are and what they may", async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const asked = { name: "ci", scope: "trigger", project_id: project, expires_at } as const;
    const { id, token } = await local.tokens.create(asked);
    const client = bench.operations.as(await bench.operations.authenticate(token, null));
    expect(await client.whoami()).toEqual({ ...asked, project: name, token_id: id });
    expect(await local.whoami()).toEqual({
      name: "ada",
      scope: "admin",
      project_id: null,
      project: null,
      token_id: null,
      expires_at: null,
    });
  });
});
