import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeployPlan } from "../../src/domain/index.ts";
import { type DeploymentId, newId, type RunId } from "../../src/kernel/index.ts";
import { planRun } from "../support/plan.ts";
import {
  advance,
  createFixture,
  type End,
  type Fixture,
  finish,
  runSnapshot,
  stepPlan,
  tryOut,
} from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

let count = 0;
const release = () => `release-${count++}`;
const deploy = (name: string | null): DeployPlan => ({
  target: "local",
  namespace: "default",
  release: name,
  kind: "helm",
});
const inputs = [{ name: "chart", type: "helm_chart", path: "chart" }] as const;

/** A run whose deploy is about to start. */
async function built(plan: DeployPlan, needs: typeof inputs | readonly [] = inputs): Promise<RunId> {
  const { id } = await fixture.store.runs.accept(fixture.newRun, () => [
    { type: "build", steps: [stepPlan("make")] },
    { type: "deploy", steps: [stepPlan("deploy", { source: "none", inputs: needs, deploy: plan })] },
  ]);
  await advance(fixture, id);
  await advance(fixture, id, { ends: { make: "succeeded" }, artifacts: { make: ["chart", "other"] } });
  return id;
}

const only = async (id: RunId) => {
  const rows = await fixture.store.deployments.ofRun(id);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  if (row === undefined) throw new Error("no deployment");
  return row;
};

describe("a deployment", () => {
  it("is made with the execution that deploys, and names the digests of its inputs", async () => {
    const name = release();
    const id = await built(deploy(name));
    expect(await fixture.store.deployments.ofRun(id)).toEqual([]);
    await advance(fixture, id);
    const row = await only(id);
    const execution = (await fixture.store.executions.ofRun(id)).find(
      ({ id: one }) => one === row.execution_id,
    );
    expect(execution?.status).toBe("pending");
    expect(row).toMatchObject({
      target: "local",
      namespace: "default",
      release: name,
      outcome: "active",
      project: "project",
      pipeline: "pipeline",
      number: (await fixture.store.runs.get(id))?.number,
      digests: ["c".repeat(64)],
      finished_at: null,
    });
    await finish(fixture, id);
    expect(await only(id)).toMatchObject({ outcome: "succeeded" });
    expect(await fixture.store.runs.get(id)).toMatchObject({ status: "success", phase: "deployed" });
    expect((await fixture.store.deployments.list({ release: name })).items).toEqual([await only(id)]);
  });

  const outcomes: readonly [End, "began" | "never", string][] = [
    ["failed", "began", "failed"],
    ["canceled", "began", "canceled"],
    ["lost", "began", "unknown"],
  ];
  it.each(outcomes)("whose execution %s after it %s is %s", async (end, began, outcome) => {
    const id = await built(deploy(release()));
    await advance(fixture, id);
    await advance(fixture, id, { ends: { deploy: end }, began });
    expect(await only(id)).toMatchObject({ outcome });
  });

  it("of an attempt that never began is failed and leaves the release free", async () => {
    const id = await built(deploy(release()));
    await advance(fixture, id);
    await advance(fixture, id, { ends: { deploy: "lost" }, began: "never" });
    const rows = await fixture.store.deployments.ofRun(id);
    expect(rows.map(({ outcome }) => outcome)).toEqual(["failed"]);
    expect(await fixture.store.runs.get(id)).toMatchObject({
      status: "failed",
      failure_reason: "executor_lost",
    });
  });

  it("blocks another run's deploy to the same release, and nothing else", async () => {
    const name = release();
    const [first, second, elsewhere, free] = [
      await built(deploy(name)),
      await built(deploy(name)),
      await built({ ...deploy(name), namespace: "other" }),
      await built(deploy(null)),
    ];
    await advance(fixture, first);
    const { id: deploymentId } = await only(first);
    expect((await runSnapshot(fixture.store, second)).deployBlock).toEqual({
      deploymentId,
      outcome: "active",
    });
    expect((await runSnapshot(fixture.store, first)).deployBlock).toBe(null);
    expect(await advance(fixture, second)).toBe(false);
    await finish(fixture, elsewhere);
    await finish(fixture, free);
    await finish(fixture, first);
    expect((await runSnapshot(fixture.store, second)).deployBlock).toBe(null);
    await finish(fixture, second);
    expect(await only(second)).toMatchObject({ outcome: "succeeded" });
  });

  it("goes to one of two runs that start at once; the other reads again", async () => {
    const { store, owner } = fixture;
    const name = release();
    const ids = [await built(deploy(name)), await built(deploy(name))];
    const snapshots = await Promise.all(ids.map((id) => runSnapshot(store, id)));
    const results = await Promise.all(
      snapshots.map((snapshot) => {
        const { changes } = planRun(snapshot, { completed: [], begun: [] });
        if (changes === null) throw new Error("nothing to start");
        return store.runs.apply(snapshot.run.id, owner, snapshot.run.seq, changes, { cause: "test" });
      }),
    );
    expect(results.filter((result) => result !== null)).toHaveLength(1);
    const loser = ids[results.indexOf(null)] ?? newId<RunId>();
    const again = await runSnapshot(store, loser);
    expect(again).toMatchObject({
      run: { seq: snapshots[results.indexOf(null)]?.run.seq },
      deployBlock: { outcome: "active" },
    });
  });

  it("that is unknown blocks until a person settles it, once", async () => {
    const { store } = fixture;
    const name = release();
    const [first, second] = [await built(deploy(name)), await built(deploy(name))];
    await advance(fixture, first);
    await advance(fixture, first, { ends: { deploy: "lost" } });
    const { id } = await only(first);
    expect((await runSnapshot(store, second)).deployBlock).toEqual({ deploymentId: id, outcome: "unknown" });
    const answers = await Promise.all([
      store.deployments.resolve(id, "succeeded", "ann"),
      store.deployments.resolve(id, "failed", "bob"),
    ]);
    expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
    const row = await store.deployments.get(id);
    expect(row).toEqual(answers.find((answer) => answer !== null));
    expect((await runSnapshot(store, second)).deployBlock).toBe(null);
    expect(await store.deployments.resolve(id, "failed", "cid")).toBe(null);
    expect(await store.deployments.resolve(newId<DeploymentId>(), "failed", "cid")).toBe(null);
    const back = await tryOut(fixture.database, [
      "update deployments set outcome = 'active', finished_at = null where id = $1::uuid",
      [id],
    ]);
    expect(back).toMatchObject({ code: "SH001" });
  });
});

describe("what a job's executor is told", () => {
  it("is the tree for a build and the artifacts by name for a deploy", async () => {
    const { store } = fixture;
    const id = await built(deploy(release()));
    const [build, last] = await store.jobs.ofRun(id);
    const spec = await store.jobs.spec(build?.id ?? newId());
    expect(spec).toMatchObject({
      runId: id,
      jobType: "build",
      attempt: 1,
      inputs: [],
      source: {
        cloneUrl: "/srv/repository",
        commit: "a".repeat(40),
        tree: "b".repeat(40),
        submodules: false,
      },
      steps: [{ name: "make", parallelGroup: null }],
    });
    const chart = await store.artifacts.named(id, "chart");
    expect(await store.jobs.spec(last?.id ?? newId())).toMatchObject({
      jobType: "deploy",
      source: null,
      inputs: [{ name: "chart", path: "chart", artifactId: chart?.id, sha256: chart?.checksum, size: 3 }],
    });
    expect(await store.jobs.spec(newId())).toBe(null);
    expect(await store.jobs.get(build?.id ?? newId())).toEqual(build);
  });
});

describe("an artifact", () => {
  it("that a deployment names never expires; another does, once, and changes in no other way", async () => {
    const { store, database } = fixture;
    const { id } = await store.runs.accept(fixture.newRun, () => [
      { type: "build", steps: [stepPlan("make")] },
    ]);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { make: "succeeded" }, artifacts: { make: ["kept"] } });
    const [kept] = await store.artifacts.ofRun(id);
    await finish(fixture, await built(deploy(release())));
    await expect(store.artifacts.expire(kept?.id ?? newId())).rejects.toMatchObject({ code: "SH001" });
    const sum = "d".repeat(64);
    const values = [newId(), kept?.job_id, kept?.execution_id, sum];
    await database.execute(
      `insert into artifacts (id, job_id, execution_id, name, artifact_type, storage_path, checksum, size, metadata)
       values ($1::uuid, $2::uuid, $3::uuid, 'free', 'binary', '/x', $4::text, 1, '{}')`,
      values,
    );
    const free = await store.artifacts.named(id, "free");
    expect(await store.artifacts.expire(free?.id ?? newId())).toBe(true);
    expect(await store.artifacts.expire(free?.id ?? newId())).toBe(false);
    for (const change of [
      "checksum = repeat('e', 64)",
      "size = 9",
      "expired_at = null",
      "storage_path = '/y'",
    ]) {
      const unavailableReason = await tryOut(database, [
        `update artifacts set ${change} where id = $1::uuid`,
        [free?.id],
      ]);
      expect(unavailableReason, change).toMatchObject({ code: "SH001" });
    }
  });
});
