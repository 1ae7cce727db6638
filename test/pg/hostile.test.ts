import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planRun } from "../support/plan.ts";
import { advance, completed, createFixture, type Fixture, runSnapshot, stepPlan } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const accept = (command: string) =>
  fixture.store.runs.accept(fixture.newRun, () => [{ type: "build", steps: [stepPlan("a", { command })] }]);

describe("text that a person wrote", () => {
  it.each(["a\0b", "\ud800", "\udc00x", "{\0}"])(
    "is refused with its place when Postgres cannot hold it: %j",
    async (text) => {
      const before = (await fixture.store.runs.list()).items.length;
      await expect(accept(text)).rejects.toMatchObject({
        code: "config_invalid",
        place: expect.stringContaining("command"),
      });
      for (const part of [{ gitRef: text }, { branch: text }, { tag: text }, { subpath: text }])
        await expect(
          fixture.store.runs.accept({ ...fixture.newRun, ...part }, () => []),
        ).rejects.toMatchObject({ code: "config_invalid" });
      await expect(fixture.store.projects.ensure(text)).rejects.toMatchObject({ code: "config_invalid" });
      const env = { [text]: "as a key" };
      await expect(
        fixture.store.runs.accept(fixture.newRun, () => [{ type: "build", steps: [stepPlan("a", { env })] }]),
      ).rejects.toMatchObject({ code: "config_invalid" });
      expect((await fixture.store.runs.list()).items).toHaveLength(before);
    },
  );

  it.each([
    "'; drop table pipeline_runs; --",
    "$1 $$ \\u0000 \\x00 \\",
    "\u0001\u001f\u007f\u2028\ufeff👩‍👩‍👧 \ud83d\ude00",
    "#!/bin/sh\r\n\ttabs\n",
    "",
  ])("is kept as it is: %j", async (text) => {
    const { id } = await accept(text);
    expect((await runSnapshot(fixture.store, id)).steps[0]?.plan.command).toBe(text);
  });

  it("is kept as it is, whatever it is", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }).filter((text) => !text.includes("\0") && text.isWellFormed()),
        async (text) => {
          const { id } = await accept(text);
          expect((await runSnapshot(fixture.store, id)).steps[0]?.plan.command).toBe(text);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("may be a script of a megabyte", async () => {
    const script = "echo 'a line'\n".repeat(80_000);
    const { id } = await accept(script);
    expect((await runSnapshot(fixture.store, id)).steps[0]?.plan.command).toBe(script);
    await advance(fixture, id);
    await advance(fixture, id, { ends: { a: "succeeded" } });
    expect(await fixture.store.runs.get(id)).toMatchObject({ status: "success" });
  });

  it("over an index entry's size is an error and no half-made row", async () => {
    await expect(fixture.store.projects.ensure("x".repeat(5000))).rejects.toMatchObject({ code: "23514" });
    expect(await fixture.store.projects.named("x".repeat(5000))).toBe(null);
  });
});

describe("text that a program reported", () => {
  it("is kept with the replacement character, because a report must not be lost over a byte", async () => {
    const { store, owner } = fixture;
    const { id } = await accept("true");
    await advance(fixture, id);
    const snapshot = await runSnapshot(store, id);
    const evidence = completed(snapshot, { ends: { a: "failed" } }).map((one) => ({
      ...one,
      result: { state: "failed", reason: "script_failed", message: "a\0b \ud800 c" } as const,
    }));
    const { changes } = planRun(snapshot, { completed: evidence, begun: [] });
    if (changes === null) throw new Error("nothing to change");
    expect(await store.runs.apply(id, owner, snapshot.run.seq, changes, { cause: "c\0d" })).not.toBe(null);
    const [execution] = await store.executions.ofRun(id);
    expect(execution?.message).toBe("a\ufffdb \ufffd c");
    const last = (await store.transitions.after(id, snapshot.run.seq)).at(-1);
    expect(last?.cause).toBe("c\ufffdd");
    expect(await store.runs.requestCancel((await accept("true")).id, "who\0")).toBe("requested");
  });
});
