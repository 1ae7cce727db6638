import { describe, expect, it } from "vitest";
import {
  executionMachine,
  finalStatesOf,
  isFinalExecution,
  isFinalRun,
  isFinalStage,
  type MachineName,
  phaseTransitions,
  runMachine,
  runPhases,
  stageMachine,
  stageToRun,
  statesOf,
  transitionsOf,
} from "../../../src/domain/index.ts";

// Written out by hand from the specification, so that a change of a table cannot go unnoticed.
const legal: Record<MachineName, readonly string[]> = {
  stage: [
    "pending running",
    "pending failed",
    "pending canceled",
    "pending skipped",
    "running succeeded",
    "running failed",
    "running canceled",
  ],
  execution: [
    "pending running",
    "pending failed",
    "pending canceled",
    "pending lost",
    "running succeeded",
    "running failed",
    "running canceled",
    "running lost",
  ],
  run: [
    "pending running",
    "pending failed",
    "pending canceled",
    "running success",
    "running failed",
    "running canceled",
  ],
};

describe.each(["stage", "execution", "run"] as const)("the %s machine", (machine) => {
  const pairs = statesOf(machine).flatMap((from) => statesOf(machine).map((to) => `${from} ${to}`));
  const allowed = new Set(transitionsOf(machine).map((pair) => pair.join(" ")));

  it.each(pairs)("%s", (pair) => {
    expect(allowed.has(pair)).toBe(legal[machine].includes(pair));
  });

  it("has final states that nothing leaves, and no other dead ends", () => {
    const sources = new Set(legal[machine].map((pair) => pair.split(" ")[0]));
    expect(finalStatesOf(machine)).toEqual(statesOf(machine).filter((state) => !sources.has(state)));
  });
});

describe("final states as predicates", () => {
  it("agree with the tables", () => {
    for (const state of keysOf(stageMachine))
      expect(isFinalStage(state), state).toBe(finalStatesOf("stage").includes(state));
    for (const state of keysOf(executionMachine))
      expect(isFinalExecution(state), state).toBe(finalStatesOf("execution").includes(state));
    for (const state of keysOf(runMachine))
      expect(isFinalRun(state), state).toBe(finalStatesOf("run").includes(state));
  });

  it("map a job's end to a run's", () => {
    expect((["succeeded", "failed", "canceled"] as const).map(stageToRun)).toEqual([
      "success",
      "failed",
      "canceled",
    ]);
  });
});

describe("run phases", () => {
  it("only move forward", () => {
    const pairs = new Set(phaseTransitions().map((pair) => pair.join(" ")));
    for (const [i, from] of runPhases.entries())
      for (const [j, to] of runPhases.entries())
        expect(pairs.has(`${from} ${to}`), `${from} ${to}`).toBe(i < j);
  });
});

function keysOf<K extends string>(table: Record<K, unknown>): K[] {
  return Object.keys(table) as K[];
}
