/** The executor of steps that run elsewhere, over a real store; time is told to it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ExecutionSpec, OutputSpec } from "../../src/domain/index.ts";
import { createRemoteExecutor } from "../../src/executor/remote/index.ts";
import { type Clock, newId, Problem, silentLogger, systemClock } from "../../src/kernel/index.ts";
import { handleOf, jobOf, specOf } from "../unit/executor/specs.ts";
import { accept, createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
let launched: string[];
let opened: string[][];
let canceled: string[];
let failing: (() => Promise<void>) | null;
let now: number;
let spec: ExecutionSpec;
let down: boolean;
let reachableSince: number | null;

beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());
beforeEach(async () => {
  [launched, opened, canceled, failing, now, down, reachableSince] = [[], [], [], null, 0, false, 0];
  const { id: runId } = await accept(fixture);
  spec = specOf(jobOf({ runId }), "make");
});

const clock: Clock = { ...systemClock, monotonic: () => now };
const store = () => fixture.store.reports;

const make = () =>
  createRemoteExecutor({
    reports: async () => {
      if (down) throw new Problem("database_unavailable", "the database is away");
      return store();
    },
    launcher: {
      openJob: async (job) => void opened.push(job.steps.map(({ name }) => name)),
      async submit({ executionId }) {
        launched.push(executionId);
        await failing?.();
      },
      cancel: async (_handle, cause) => void canceled.push(cause),
      closeJob: async () => undefined,
    },
    logSize: async () => 7,
    watch: () => undefined,
    unavailableReason: async () => null,
    reachableSince: () => reachableSince,
    silenceMs: 1_000,
    pendingMs: 5_000,
    clock,
    log: silentLogger,
  });

/** As if so many milliseconds had passed on the database's clock. */
async function age(column: "submitted_at" | "last_seen_at", ms: number): Promise<void> {
  await fixture.database.execute(
    `update execution_reports set ${column} = ${column} - $2::integer * interval '1 ms' where execution_id = $1::uuid`,
    [spec.executionId, ms],
  );
}

const outcome = async (executor = make()) => {
  const status = await executor.status(handleOf(spec));
  return status.state === "ended" ? status.outcome : status.state;
};

const final = {
  exit_code: 0,
  reason: null,
  message: null,
  logs_uri: null,
  log_bytes: null,
  log_sha256: null,
} as const;
const finish = (status: "success" | "failed" | "canceled", more: object = {}) =>
  store().finish(spec.executionId, null, { status, ...final, artifacts: [], ...more });

describe("handing out", () => {
  it("tells the launcher of a job with its steps, and of a cancel", async () => {
    const executor = make();
    const { stepId } = spec;
    const steps = [{ stepId, name: "make", parallelGroup: null, image: "alpine" }];
    await executor.open({ ...spec.job, steps });
    await executor.submit(spec);
    await executor.cancel(handleOf(spec), "canceled", 1);
    expect([opened, launched, canceled]).toEqual([[["make"]], [spec.executionId], ["canceled"]]);
  });

  it("starts an executor once, whoever asks again", async () => {
    const executor = make();
    expect(await outcome(executor)).toBe("unknown");
    await executor.submit(spec);
    await executor.submit(spec);
    await make().submit(spec);
    expect(launched).toEqual([spec.executionId]);
    expect(await outcome(executor)).toBe("waiting");
  });

  it("starts one anew when its process died before it could say that it had", async () => {
    await store().submit(spec);
    await make().submit(spec);
    expect(launched).toHaveLength(1);
  });

  it("fails with what the program said, and what nobody has claimed cannot begin then", async () => {
    failing = () => Promise.reject(new Problem("executor_failed", "no machine is free"));
    await expect(make().submit(spec)).rejects.toThrow("no machine is free");
    expect(await store().claim(spec.executionId, "late")).toBeNull();
    expect(await outcome()).toMatchObject({ began: false, workspaceWhole: true, reason: "start_failed" });
  });

  it("goes on when the program failed, and an executor had come all the same", async () => {
    failing = async () => {
      await store().claim(spec.executionId, "quick");
      throw new Problem("executor_failed", "the connection broke");
    };
    await make().submit(spec);
    expect(await outcome()).toBe("waiting");
  });
});

describe("waiting", () => {
  it("ends when nobody comes in time", async () => {
    const executor = make();
    await executor.submit(spec);
    await age("submitted_at", 6_000);
    now = 6_000;
    expect(await outcome(executor)).toMatchObject({
      began: false,
      reason: "unschedulable",
      workspaceWhole: true,
    });
  });

  it("loses an executor that is silent, before its begin or after it", async () => {
    const executor = make();
    await executor.submit(spec);
    await store().claim(spec.executionId, "pod");
    await age("last_seen_at", 2_000);
    now = 2_000;
    expect(await outcome(executor)).toMatchObject({
      began: false,
      reason: "executor_lost",
      workspaceWhole: true,
    });
    spec = { ...spec, executionId: newId(), attempt: 2 };
    await executor.submit(spec);
    await store().claim(spec.executionId, "pod");
    await store().begin(spec.executionId, "pod");
    await age("last_seen_at", 2_000);
    expect(await outcome(executor)).toMatchObject({
      began: true,
      reason: "executor_lost",
      workspaceWhole: false,
    });
  });

  it("does not count the time in which it was not there itself, or the database was away", async () => {
    const executor = make();
    await executor.submit(spec);
    await store().claim(spec.executionId, "pod");
    await age("last_seen_at", 60_000);
    now = 900;
    expect(await outcome(executor)).toBe("waiting");
    down = true;
    await expect(outcome(executor)).rejects.toThrow("away");
    [down, now] = [false, 1_800];
    expect(await outcome(executor)).toBe("waiting");
    now = 2_000;
    expect(await outcome(executor)).toMatchObject({ reason: "executor_lost" });
  });
});

describe("waiting after a start of the server", () => {
  it.each(["claimed", "unclaimed"])("counts silence since the server listens, when %s", async (how) => {
    const before = make();
    await before.submit(spec);
    if (how === "claimed") await store().claim(spec.executionId, "pod");
    await age(how === "claimed" ? "last_seen_at" : "submitted_at", 60_000);
    const patience = how === "claimed" ? 1_000 : 5_000;
    reachableSince = null;
    const executor = make();
    // Starting takes longer than the patience, and nobody can report meanwhile.
    now = 50_000;
    expect(await outcome(executor)).toBe("waiting");
    reachableSince = now;
    now += patience;
    expect(await outcome(executor)).toBe("waiting");
    now += 1;
    expect(await outcome(executor)).toMatchObject({
      reason: how === "claimed" ? "executor_lost" : "unschedulable",
    });
  });

  it("counts from the last word when that came later", async () => {
    const executor = make();
    await executor.submit(spec);
    await store().claim(spec.executionId, "pod");
    now = 60_000;
    await age("last_seen_at", 900);
    expect(await outcome(executor)).toBe("waiting");
  });
});

describe("the end", () => {
  beforeEach(async () => {
    await store().submit(spec);
    await store().claim(spec.executionId, "pod");
    await store().begin(spec.executionId, "pod");
  });

  it.each([
    ["success", {}, { reason: null, exitCode: 0, began: true, logBytes: 7, logDropped: 0 }],
    ["success", { exit_code: 1 }, { reason: "internal" }],
    ["success", { exit_code: null }, { reason: "internal" }],
    ["success", { log_bytes: 10 }, { reason: null, logDropped: 3 }],
    ["success", { artifacts: [{ id: newId(), sha256: null }] }, { reason: "artifact_missing" }],
    ["failed", { exit_code: 2 }, { reason: "script_failed", exitCode: 2 }],
    [
      "failed",
      { reason: "out_of_memory", message: "killed" },
      { reason: "out_of_memory", message: "killed" },
    ],
    ["canceled", { exit_code: null }, { reason: "canceled", exitCode: null }],
  ] as const)("%s with %o", async (status, said, expected) => {
    await finish(status, said);
    expect(await outcome()).toMatchObject(expected);
  });

  it("has the cause for which it was to come, unless it was a success before", async () => {
    await store().requestStop(spec.executionId, "timed_out", 1);
    await finish("failed", { exit_code: 143, reason: "script_failed" });
    expect(await outcome()).toMatchObject({ reason: "timed_out", exitCode: 143 });
  });

  it("is the success that was reported although it was to be canceled", async () => {
    await store().requestStop(spec.executionId, "canceled", 1);
    await finish("success");
    expect(await outcome()).toMatchObject({ reason: null });
  });

  it("has the outputs that were uploaded, and no success with another digest than was reported", async () => {
    const output: OutputSpec = { name: "app", type: "binary", path: "app", ref: null, required: true };
    const upload = {
      execution_id: spec.executionId,
      name: "app",
      artifact_id: newId<never>(),
      checksum: "a".repeat(64),
      size: 1,
      storage_path: "/a",
      metadata: { form: "file", path: "app" },
    } as const;
    await store().keepUpload(upload, "pod");
    const image: OutputSpec = { ...output, name: "image", path: null, ref: "r/i:1" };
    expect(
      await make().outputs(spec, [output, image, { ...output, name: "other" }], new AbortController().signal),
    ).toMatchObject([
      { kind: "stored", stored: { sha256: "a".repeat(64) } },
      { kind: "ref", ref: "r/i:1" },
      { kind: "missing", reason: "artifact_missing" },
    ]);
    await finish("success", { artifacts: [{ id: upload.artifact_id, sha256: "b".repeat(64) }] });
    expect(await outcome()).toMatchObject({ reason: "artifact_corrupt" });
    expect(
      await store().keepUpload({ ...upload, name: "late", artifact_id: newId<never>() }, "pod"),
    ).toBeNull();
  });

  it("is given by the server when its job is over", async () => {
    await make().close(spec.job);
    expect(await outcome()).toMatchObject({ reason: "canceled", began: true });
    expect(await finish("success")).toBeNull();
  });

  it("cannot be taken back by whoever writes to the table", async () => {
    await finish("failed", { exit_code: 1 });
    for (const change of ["final_status = 'success'", "begun_at = now()", "claimed_by = 'x'", "spec = '{}'"])
      await expect(
        fixture.database.execute(`update execution_reports set ${change} where execution_id = $1::uuid`, [
          spec.executionId,
        ]),
      ).rejects.toMatchObject({ code: "23514" });
  });
});

it("takes what was uploaded for nothing, once nothing more is waited for", async () => {
  await store().submit(spec);
  await store().claim(spec.executionId, "pod");
  const artifact = newId<never>();
  await store().keepUpload(
    {
      execution_id: spec.executionId,
      name: "app",
      artifact_id: artifact,
      checksum: "a".repeat(64),
      size: 1,
      storage_path: "/a",
      metadata: { form: "file", path: "app" },
    },
    "pod",
  );
  await finish("failed", { exit_code: 1 });
  expect(await store().takeOrphans(10)).toEqual([]);
  expect(await store().overdue(3_600_000, 10)).not.toContain(spec.executionId);
  expect(await store().overdue(-1, 100)).toContain(spec.executionId);
  await store().closeLog(spec.executionId, false);
  expect(await store().takeOrphans(10)).toEqual([artifact]);
  expect(await store().takeOrphans(10)).toEqual([]);
});
