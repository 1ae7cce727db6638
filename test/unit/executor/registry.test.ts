import { describe, expect, it } from "vitest";
import { createExecutorRegistry, createFakeExecutor } from "../../../src/executor/index.ts";
import { silentLogger } from "../../../src/kernel/index.ts";
import { handleOf, jobOf, specOf } from "./specs.ts";

function makeRegistry() {
  const opened: string[] = [];
  const executors = { one: createFakeExecutor(), other: createFakeExecutor() };
  const opener = (type: keyof typeof executors) => () => {
    opened.push(type);
    return executors[type];
  };
  const registry = createExecutorRegistry({
    chosen: "one",
    openers: { one: opener("one"), other: opener("other") },
    typeOf: async () => "other",
    log: silentLogger,
  });
  return { registry, executors, opened };
}

describe("the registry of executors", () => {
  it("opens the chosen one alone, and another one with the first of its jobs", async () => {
    const { registry, executors, opened } = makeRegistry();
    const notifications: string[] = [];
    registry.watch(new AbortController().signal, ({ state }) => notifications.push(state));
    const job = jobOf();
    await registry.open({ ...job, executorType: "one" });
    expect(opened).toEqual(["one"]);
    const old = jobOf({ executorType: "other" });
    const spec = specOf(old, "make");
    await registry.open(old);
    await registry.submit(spec);
    expect(opened).toEqual(["one", "other"]);
    expect([executors.one, executors.other].map(({ world }) => world.executions.size)).toEqual([0, 1]);
    await Promise.resolve();
    expect(notifications).toContain("ended");
  });

  it("finds the executor of a job from before a restart by its run", async () => {
    const { registry, opened } = makeRegistry();
    expect(await registry.status(handleOf(specOf(jobOf(), "make")))).toEqual({ state: "unknown" });
    expect(opened).toEqual(["one", "other"]);
  });

  it("leaves jobs of an executor that it does not know to the chosen one", async () => {
    const { registry, executors } = makeRegistry();
    await registry.open(jobOf({ executorType: "gone" }));
    expect(executors.one.world.jobs.size).toBe(1);
  });
});
