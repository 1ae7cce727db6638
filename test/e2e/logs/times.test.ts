/** When lines were written: beside the log, to about a second. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ExecutionId, newId } from "../../../src/kernel/index.ts";
import { createSteeredClock, type SteeredClock } from "../../pg/orchestrator/clock.ts";
import { World } from "../../support/cli.ts";
import { type Bench, openBench } from "./support/bench.ts";

describe("the times of a log", () => {
  let clock: SteeredClock;
  let bench: Bench;
  beforeEach(async () => {
    clock = createSteeredClock();
    bench = await openBench({ clock });
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  async function second(): Promise<void> {
    while (clock.sleepers === 0) await turn();
    clock.advance(1_000);
    while (clock.sleepers === 0) await turn();
  }

  const seen = async (id: ExecutionId) =>
    (await bench.store.times(id)).map(({ offset, at }) => [offset, at.toISOString().slice(17, 19)]);

  it("are noted once a second while it grows, and not while it does not", async () => {
    const id = newId<ExecutionId>();
    const file = bench.store.prepare(id);
    bench.store.startTimes(id);
    bench.store.startTimes(id);
    await second();
    appendFileSync(file, "12345");
    await second();
    await second();
    appendFileSync(file, "678");
    appendFileSync(file, "90");
    await second();
    expect(await seen(id)).toEqual([
      [5, "02"],
      [10, "04"],
    ]);
    bench.store.endTimes(id);
    expect(clock.sleepers).toBe(0);
    // As after a restart, which begins with what is there.
    bench.store.startTimes(id);
    await second();
    appendFileSync(file, "x");
    await second();
    bench.store.endTimes(id);
    expect(await seen(id)).toEqual([
      [5, "02"],
      [10, "04"],
      [11, "06"],
    ]);
  });

  it("come with what is appended, and a line that was left half is passed over", async () => {
    const id = newId<ExecutionId>();
    await bench.store.append(id, 0, Buffer.from("abc"));
    const file = join(dirname(bench.store.prepare(id)), "times");
    appendFileSync(file, "7 189");
    appendFileSync(file, "\nnonsense\n-1 5\n");
    clock.advance(4_000);
    await bench.store.append(id, 3, Buffer.from("def"));
    await bench.store.append(id, 3, Buffer.from("def"));
    expect(await seen(id)).toEqual([
      [3, "00"],
      [7, "00"],
    ]);
    writeFileSync(file, readFileSync(file, "latin1").replace("7 189\n", ""));
    expect(await seen(id)).toEqual([
      [3, "00"],
      [6, "04"],
    ]);
  });
});

describe("logs --timestamps", () => {
  it("shows when each line was written, in a pipe as it is", async () => {
    await using world = await World.prepared();
    const repository = world.repository("app", {
      ".shipinator.yaml": `
build:
  steps:
    - { name: slow, run: "echo one; sleep 1.5; echo two; sleep 1.5; printf three" }
    - { name: quick, run: "echo quick" }
`,
    });
    await world.run([repository]);
    const { stdout } = await world.shipinator(["logs", "--timestamps"]);
    const lines = stdout.split("\n").filter(Boolean);
    expect(lines.map((line) => line.slice(21))).toEqual([
      "[build/slow] one",
      "[build/slow] two",
      "[build/slow] three",
      "[build/quick] quick",
    ]);
    const times = lines.map((line) => Date.parse(line.slice(0, 20)));
    const [one = 0, two = 0, three = 0, quick = 0] = times;
    expect(two - one).toBeGreaterThanOrEqual(1_000);
    expect(three - one).toBeGreaterThanOrEqual(2_000);
    expect(three).toBeLessThanOrEqual(quick);
    const step = await world.shipinator(["logs", "--step", "quick", "-t"]);
    expect(step.stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ quick\n$/);
  });
});
