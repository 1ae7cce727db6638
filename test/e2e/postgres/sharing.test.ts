import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  type Holder,
  layoutOf,
  newDirectory,
  serverOf,
  startHolder,
  usedDirectory,
} from "./processes.ts";

function ready(answers: readonly Answer[]) {
  return answers.map(({ ready, problem }) => {
    if (ready === undefined) throw new Error(`not ready: ${problem?.message}`);
    return ready;
  });
}

describe("several processes on one data directory", () => {
  it.each([
    ["that is new", newDirectory],
    ["that was used", usedDirectory],
  ])("start one server together, on a directory %s", async (_, make) => {
    const directory = await make();
    const holders = Array.from({ length: 3 }, () => startHolder(directory));
    const facts = ready(await Promise.all(holders.map((holder) => holder.answer())));
    expect(new Set(facts.map(({ pid }) => pid)).size).toBe(1);
    expect(facts.filter(({ started }) => started)).toHaveLength(1);
    const rows = await Promise.all(holders.map((holder) => holder.tell("row").catch(() => ({}))));
    expect(rows).toHaveLength(3);
  });

  it("are not disturbed when the one that started the server leaves; the last one stops it", async () => {
    const directory = await usedDirectory();
    const first = startHolder(directory);
    const [{ pid } = { pid: 0 }] = ready([await first.answer()]);
    const second = startHolder(directory);
    expect(ready([await second.answer()])).toMatchObject([{ pid, started: false }]);
    expect(await first.tell("row")).toEqual({ rows: 1 });
    expect(await first.tell("stop")).toEqual({ stopped: true });
    expect(serverOf(directory)).toBe(pid);
    expect(existsSync(layoutOf(directory).ownerFile)).toBe(true);
    expect(await second.tell("row")).toEqual({ rows: 2 });
    expect(await second.tell("stop")).toEqual({ stopped: true });
    expect(serverOf(directory)).toBeUndefined();
    expect(existsSync(layoutOf(directory).ownerFile)).toBe(false);
  });

  it("leave nothing running when they all leave at the same moment", async () => {
    const directory = await usedDirectory();
    const holders = Array.from({ length: 4 }, () => startHolder(directory));
    ready(await Promise.all(holders.map((holder) => holder.answer())));
    const ends = await Promise.all(holders.map((holder) => holder.tell("stop")));
    expect(ends).toEqual(holders.map(() => ({ stopped: true })));
    expect(serverOf(directory)).toBeUndefined();
  });

  it("come and go in any order without losing a row or refusing anybody", async () => {
    const directory = await usedDirectory();
    const counts: number[] = [];
    const life = async (rounds: number) => {
      for (let round = 0; round < rounds; round++) {
        const holder: Holder = startHolder(directory);
        ready([await holder.answer()]);
        const { rows } = await holder.tell("row");
        counts.push(rows ?? 0);
        expect(await holder.tell("stop")).toEqual({ stopped: true });
      }
    };
    const first = startHolder(directory);
    ready([await first.answer()]);
    await first.tell("row");
    await first.tell("stop");
    await Promise.all([life(3), life(3), life(3)]);
    expect(Math.max(...counts)).toBe(10);
    expect(serverOf(directory)).toBeUndefined();
  });
});
