import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parsePipeline } from "../../../src/config/index.ts";
import type { JobType } from "../../../src/domain/index.ts";
import { buildinator, deployinator, testinator } from "../../../src/domain/index.ts";
import { type ArtifactId, newId, type RunId } from "../../../src/kernel/index.ts";
import { planStages, requestedStages, variablesOf } from "../../../src/services/runs/plan-run.ts";
// Not part of the face: what it needs of an application is a database alone.
import { retry } from "../../../src/services/runs/retry.ts";
import type { RunRow } from "../../../src/store/index.ts";
import { advance, createFixture, type End, type Fixture, tryOut } from "../fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const inators = new Map([buildinator, testinator, deployinator].map((it) => [it.jobType, it]));
const deps = {
  inators,
  graceSeconds: 10,
  executor: { type: "fake" },
  database: async () => fixture,
} as const;

const parsed = await parsePipeline(
  Buffer.from(`
build:
  steps:
    - { name: compile, run: make, outputs: [{ type: binary, path: bin/app, name: app }] }
test:
  steps:
    - { name: unit, run: make test, artifacts: [{ type: coverage, path: c.out, name: coverage }] }
deploy: { artifact: app, target: local, namespace: default, run: ./deploy.sh }
`),
  ".shipinator.yaml",
);
if (!parsed.ok) throw new Error("the file of this test is not valid");
const { config } = parsed;

type Ends = Partial<Record<"compile" | "unit" | "deploy", End>>;
const good: Ends = { compile: "succeeded", unit: "succeeded", deploy: "succeeded" };

async function drive(id: RunId, ends: Ends): Promise<RunRow> {
  // A digest that a deployment names is never purged and never expires.
  const digestOf = (name: string) => createHash("sha256").update(`${id} ${name}`).digest("hex");
  const artifacts = { compile: ["app"], unit: ["coverage"] };
  while (await advance(fixture, id, { ends, artifacts, digestOf }));
  return await row(id);
}

async function row(id: RunId): Promise<RunRow> {
  const found = await fixture.store.runs.get(id);
  if (found === null) throw new Error(`no run ${id}`);
  return found;
}

/** A run that ended so. */
async function run(ends: Ends, only: readonly JobType[] | null = null) {
  const { store, newRun } = fixture;
  const source = { commit: newRun.gitSha, ref: newRun.gitRef, branch: "main", tag: null, pipeline: "p" };
  const { id } = await store.runs.accept({ ...newRun, config, requestedStages: only }, (identity) =>
    planStages(
      deps,
      { stages: requestedStages(config, only), adopted: [] },
      config,
      variablesOf(source, identity),
    ),
  );
  return await drive(id, ends);
}

const untold = { done: () => undefined };
const again = async (old: RunRow, what: "whole" | "failed", id?: RunId) =>
  await row((await retry(deps, old, { run: old.id, what, by: "ada", ...(id ? { id } : {}) }, untold)).runId);
const jobsOf = async ({ id }: RunRow) => (await fixture.store.jobs.ofRun(id)).map((job) => job.job_type);
const artifactsOf = async ({ id }: RunRow) => (await fixture.store.artifacts.ofRun(id)).map((one) => one.id);

describe("a retry", () => {
  it("is a new run of the same commit, tree and file", async () => {
    const old = await run({ ...good, unit: "failed" });
    const { number: _number, ...same } = old;
    const made = await again(old, "whole");
    expect(made).toMatchObject({
      git_sha: same.git_sha,
      git_ref: same.git_ref,
      tree: same.tree,
      config_digest: same.config_digest,
      retried_from: old.id,
      requested_stages: null,
      status: "pending",
    });
    expect(await jobsOf(made)).toEqual(["build", "test", "deploy"]);
    expect(await artifactsOf(made)).toEqual([]);
    const [first] = await fixture.store.transitions.after(made.id, 0, 1);
    expect(first?.cause).toBe("retry by ada");
    expect(await row(old.id)).toEqual(old);
  });

  it("is refused while the run is not over", async () => {
    const old = await run({ compile: "succeeded" });
    await expect(again(old, "whole")).rejects.toMatchObject({ code: "conflict" });
    await expect(again(old, "failed")).rejects.toMatchObject({ code: "conflict" });
  });

  it("asked twice with one id is one run, whatever has become of the artifacts", async () => {
    const old = await run({ ...good, unit: "failed" });
    const id = newId<RunId>();
    const first = await again(old, "failed", id);
    await expire(old, "app");
    expect(await again(old, "failed", id)).toEqual(first);
    const other = await run({ ...good, unit: "failed" });
    await expect(again(other, "failed", id)).rejects.toMatchObject({ code: "conflict", place: "id" });
    expect((await run(good)).number).toBe(other.number + 1);
  });

  it("of a run that was never resolved resolves its ref anew", async () => {
    const { store, newRun, owner } = fixture;
    const asked = {
      ...newRun,
      owner,
      gitRef: "main",
      gitSha: null,
      requestedStages: ["build"],
    } as const;
    const { id } = await store.runs.submit(asked);
    await store.runs.requestCancel(id, "ada");
    await advance(fixture, id);
    for (const what of ["whole", "failed"] as const) {
      const made = await again(await row(id), what);
      expect(made).toMatchObject({ git_ref: "main", git_sha: null, tree: null, config_digest: null });
      expect(made).toMatchObject({ requested_stages: ["build"], retried_from: id, status: "pending" });
      expect((await store.runs.snapshot(made.id))?.run.resolved).toBe(false);
    }
  });
});

describe("a retry of what failed", () => {
  it("does not run again what succeeded, and stands on its artifacts", async () => {
    const old = await run({ ...good, unit: "failed" });
    const made = await again(old, "failed");
    expect(made).toMatchObject({ requested_stages: ["test", "deploy"], reused_stages: ["build"] });
    expect(await jobsOf(made)).toEqual(["test", "deploy"]);
    const [app] = await fixture.store.artifacts.ofRun(old.id);
    expect(await artifactsOf(made)).toEqual([app?.id]);
    expect(await fixture.store.artifacts.named(made.id, "app")).toEqual(app);
    const jobs = await fixture.store.jobs.ofRun(made.id);
    for (const job of jobs) {
      const spec = await fixture.store.jobs.spec(job.id);
      expect(spec?.inputs).toMatchObject([{ name: "app", artifactId: app?.id, sha256: app?.checksum }]);
    }
    const ended = await drive(made.id, good);
    expect(ended).toMatchObject({ status: "success", phase: "deployed" });
    const [deployment] = await fixture.store.deployments.ofRun(made.id);
    expect(deployment?.digests).toEqual([app?.checksum]);
    expect(await fixture.store.runs.summary(made.id)).toMatchObject({
      artifacts: [{ name: "app" }, { name: "coverage" }],
    });
  });

  it("leaves behind what a failed job had kept", async () => {
    const old = await run({ ...good, unit: "failed" });
    expect(await artifactsOf(old)).toHaveLength(2);
    const made = await again(old, "failed");
    const names = (await fixture.store.artifacts.ofRun(made.id)).map(({ name }) => name);
    expect(names).toEqual(["app"]);
  });

  it("can itself be retried: in part again, or whole", async () => {
    const old = await run({ ...good, unit: "failed" });
    const second = await drive((await again(old, "failed")).id, { ...good, deploy: "failed" });
    expect(second.status).toBe("failed");
    const third = await again(second, "failed");
    expect(third).toMatchObject({ requested_stages: ["deploy"], reused_stages: ["build", "test"] });
    expect(await artifactsOf(third)).toEqual(await artifactsOf(second));
    expect((await drive(third.id, good)).status).toBe("success");
    const whole = await again(second, "whole");
    expect(whole).toMatchObject({ requested_stages: ["build", "test", "deploy"], reused_stages: [] });
    expect(await jobsOf(whole)).toEqual(["build", "test", "deploy"]);
  });

  it("is the whole when nothing succeeded, and refused when everything did", async () => {
    const none = await again(await run({ ...good, compile: "failed" }), "failed");
    expect(none).toMatchObject({ requested_stages: null, reused_stages: [] });
    const all = await run(good);
    await expect(again(all, "failed")).rejects.toMatchObject({
      code: "conflict",
      remedy: expect.stringContaining("whole"),
    });
  });

  it("of a run of some stages stays with them", async () => {
    const old = await run({ ...good, unit: "failed" }, ["build", "test"]);
    expect(await again(old, "failed")).toMatchObject({
      requested_stages: ["test"],
      reused_stages: ["build"],
    });
  });

  it("is refused when an output of the build has expired, and names it", async () => {
    const old = await run({ ...good, unit: "failed" });
    await expire(old, "app");
    const { next_number: before } = await pipeline();
    await expect(again(old, "failed")).rejects.toMatchObject({
      code: "gone",
      message: expect.stringContaining("app"),
      remedy: expect.stringContaining(`shipinator retry ${old.id}`),
    });
    expect((await pipeline()).next_number).toBe(before);
    expect((await again(old, "whole")).status).toBe("pending");
  });

  it("does not miss a report that has expired", async () => {
    const old = await run({ ...good, deploy: "failed" });
    await expire(old, "coverage");
    const made = await again(old, "failed");
    expect((await fixture.store.artifacts.ofRun(made.id)).map(({ name }) => name)).toEqual(["app"]);
  });

  it("leaves no run and no gap when an artifact expires in between", async () => {
    const { store, newRun } = fixture;
    const old = await run({ ...good, unit: "failed" });
    const [app] = await artifactsOf(old);
    await expire(old, "app");
    const { next_number: before } = await pipeline();
    const reused = { stages: ["build"], artifacts: [app ?? newId<ArtifactId>()] } as const;
    const late = { ...newRun, config: null, retriedFrom: old.id, reused };
    await expect(store.runs.accept(late, () => [])).rejects.toMatchObject({ code: "gone" });
    expect((await pipeline()).next_number).toBe(before);
  });
});

async function expire(of: RunRow, name: string): Promise<void> {
  const found = await fixture.store.artifacts.named(of.id, name);
  if (found === null || !(await fixture.store.artifacts.expire(found.id))) throw new Error(`no ${name}`);
}

async function pipeline() {
  const rows = await fixture.database.query<{ next_number: number }>(
    "select next_number from pipelines where id = $1::uuid",
    [fixture.newRun.pipelineId],
  );
  return rows[0] ?? { next_number: 0 };
}

describe("what was taken over", () => {
  it("keeps the run that made it from the purge, and goes with the one that took it", async () => {
    const { store } = fixture;
    const later = new Date(Date.now() + 3_600_000);
    const old = await run({ compile: "succeeded", unit: "failed" }, ["build", "test"]);
    const made = await again(old, "failed");
    expect(await store.runs.purge(later, 1_000)).not.toContain(old.id);
    await drive(made.id, { unit: "failed" });
    expect(await store.runs.purge(later, 1_000)).toContain(made.id);
    expect(await store.runs.purge(later, 1_000)).toContain(old.id);
  });

  it("never changes and is deleted by the purge alone", async () => {
    const old = await run({ ...good, unit: "failed" });
    const made = await again(old, "failed");
    for (const statement of [
      "delete from reused_artifacts where pipeline_run_id = $1::uuid",
      "update reused_artifacts set artifact_id = artifact_id where pipeline_run_id = $1::uuid",
    ])
      expect(await tryOut(fixture.database, [statement, [made.id]])).toMatchObject({ code: "SH001" });
  });
});
