import { describe, expect, it } from "vitest";
import type { JobSpec } from "../../../src/domain/index.ts";
import {
  createFakeExecutor,
  createFakeWorld,
  type FakeExecutorOptions,
  fakeOutcomes,
} from "../../../src/executor/index.ts";
import { executorConformance } from "./conformance.ts";
import { handleOf, jobOf, specOf } from "./specs.ts";

const kinds = {
  succeed: {},
  fail: { outcome: { ...fakeOutcomes.failure, exitCode: 3 } },
  stay: { hold: "after" },
} as const;

executorConformance("fake", async () => {
  const world = createFakeWorld();
  const make = () => createFakeExecutor({ world, script: kinds });
  return {
    executor: make(),
    spec: (job: JobSpec, kind) => specOf(job, "", { name: kind }),
    restart: async () => make(),
    async [Symbol.asyncDispose]() {},
  };
});

async function submitted(name: string, options: FakeExecutorOptions) {
  const executor = createFakeExecutor(options);
  const job = jobOf();
  await executor.open(job);
  const spec = specOf(job, "", { name });
  await executor.submit(spec);
  return { executor, spec, status: () => executor.status(handleOf(spec)) };
}

describe("the fake executor does as it is told", () => {
  it("holds a step before its begin", async () => {
    const { executor, status } = await submitted("a", { script: { a: { hold: "before" } } });
    expect(await status()).toEqual({ state: "waiting" });
    executor.begin("a");
    expect(await status()).toMatchObject({ state: "begun" });
    executor.finish("a");
    expect(await status()).toMatchObject({ state: "ended", outcome: { exitCode: 0 } });
  });

  it("loses a step before or after its begin", async () => {
    const before = await submitted("a", { script: { a: { hold: "before" } } });
    before.executor.lose("a");
    expect(await before.status()).toMatchObject({
      outcome: { began: false, reason: "executor_lost", workspaceWhole: true },
    });
    const after = await submitted("a", { script: { a: { hold: "after" } } });
    after.executor.lose("a");
    expect(await after.status()).toMatchObject({ outcome: { began: true, reason: "executor_lost" } });
  });

  it("cancels before the begin, which proves that nothing began", async () => {
    const { executor, spec, status } = await submitted("a", { script: { a: { hold: "before" } } });
    await executor.cancel(handleOf(spec), "canceled", 1);
    expect(await status()).toMatchObject({
      outcome: { began: false, reason: "canceled", workspaceWhole: true },
    });
    expect(executor.world.begins.size).toBe(0);
  });

  it("behaves differently at each attempt", async () => {
    const executor = createFakeExecutor({ script: { a: [{ outcome: fakeOutcomes.failure }, {}] } });
    const job = jobOf();
    await executor.open(job);
    const codes: unknown[] = [];
    for (const attempt of [1, 2, 3]) {
      const spec = specOf(job, "", { name: "a", attempt });
      await executor.submit(spec);
      codes.push(await executor.status(handleOf(spec)));
    }
    expect(codes).toMatchObject([
      { outcome: { exitCode: 1 } },
      { outcome: { exitCode: 0 } },
      { outcome: { exitCode: 0 } },
    ]);
  });

  it("forgets or loses on restart", async () => {
    for (const [onRestart, expected] of [
      ["forget", { state: "unknown" }],
      ["lose", { outcome: { reason: "executor_lost" } }],
    ] as const) {
      const world = createFakeWorld();
      const { spec } = await submitted("a", { world, script: { a: { hold: "after", onRestart } } });
      expect(await createFakeExecutor({ world }).status(handleOf(spec))).toMatchObject(expected);
    }
  });

  it("reports as often as told", async () => {
    const world = createFakeWorld();
    const heard: string[] = [];
    const script = { twice: { notifications: 2 }, never: { notifications: 0 } };
    createFakeExecutor({ world }).watch(new AbortController().signal, (notification) =>
      heard.push(notification.state),
    );
    await submitted("twice", { world, script });
    await submitted("never", { world, script });
    await Promise.resolve();
    expect(heard).toEqual(["begun", "begun", "ended", "ended"]);
  });

  it("fails to open and to submit", async () => {
    const refusing = createFakeExecutor({ openError: () => new Error("no room") });
    await expect(refusing.open(jobOf())).rejects.toThrow("no room");
    await expect(submitted("a", { script: { a: { submitError: new Error("no") } } })).rejects.toThrow("no");
  });
});
