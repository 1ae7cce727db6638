/**
 * The state machines as data: a table per machine. Final states, legal sources of a transition, the diagrams in
 * docs/state-machines.md, the all-pairs tests and the comparison with the database's triggers come from these tables.
 */
type Table<S extends string, E extends string> = Readonly<Record<S, Readonly<Partial<Record<E, S>>>>>;

export type StageState = "pending" | "running" | "succeeded" | "failed" | "canceled" | "skipped";
export type StageEvent = "start" | "succeed" | "fail" | "cancel" | "skip";

/** A step or a job. */
export const stageMachine = {
  pending: { start: "running", fail: "failed", cancel: "canceled", skip: "skipped" },
  running: { succeed: "succeeded", fail: "failed", cancel: "canceled" },
  succeeded: {},
  failed: {},
  canceled: {},
  skipped: {},
} as const satisfies Table<StageState, StageEvent>;

export type ExecutionState = "pending" | "running" | "succeeded" | "failed" | "canceled" | "lost";
export type ExecutionEvent = "begin" | "succeed" | "fail" | "cancel" | "lose";

/** One attempt at a step. */
export const executionMachine = {
  pending: { begin: "running", fail: "failed", cancel: "canceled", lose: "lost" },
  running: { succeed: "succeeded", fail: "failed", cancel: "canceled", lose: "lost" },
  succeeded: {},
  failed: {},
  canceled: {},
  lost: {},
} as const satisfies Table<ExecutionState, ExecutionEvent>;

export type RunState = "pending" | "running" | "success" | "failed" | "canceled";
export type RunEvent = "start" | "succeed" | "fail" | "cancel";

/** A pipeline run's status. */
export const runMachine = {
  pending: { start: "running", fail: "failed", cancel: "canceled" },
  running: { succeed: "success", fail: "failed", cancel: "canceled" },
  success: {},
  failed: {},
  canceled: {},
} as const satisfies Table<RunState, RunEvent>;

/** A run's phase only moves forward; what was not requested or configured is passed over. */
export const runPhases = [
  "submitted",
  "building",
  "built",
  "testing",
  "tested",
  "deploying",
  "deployed",
] as const;
export type RunPhase = (typeof runPhases)[number];

export const machines = {
  stage: stageMachine,
  execution: executionMachine,
  run: runMachine,
} as const;
export type MachineName = keyof typeof machines;

/** Every legal [from, to] pair of a machine. */
export function transitionsOf(machine: MachineName): readonly (readonly [from: string, to: string])[] {
  const table: Readonly<Record<string, Readonly<Record<string, string>>>> = machines[machine];
  return Object.entries(table).flatMap(([from, events]) =>
    Object.values(events).map((to) => [from, to] as const),
  );
}

export function statesOf<Name extends MachineName>(
  machine: Name,
): readonly (keyof (typeof machines)[Name] & string)[] {
  return Object.keys(machines[machine]) as (keyof (typeof machines)[Name] & string)[];
}

/** The states that nothing leaves. */
export function finalStatesOf(machine: MachineName): readonly string[] {
  const left = new Set(transitionsOf(machine).map(([from]) => from));
  return statesOf(machine).filter((state) => !left.has(state));
}

/** Every legal [from, to] pair of phases: any step forward. */
export function phaseTransitions(): readonly (readonly [from: RunPhase, to: RunPhase])[] {
  return runPhases.flatMap((from, index) => runPhases.slice(index + 1).map((to) => [from, to] as const));
}

export const isFinalStage = (state: StageState): boolean => state !== "pending" && state !== "running";
export const isFinalExecution = (state: ExecutionState): boolean =>
  state !== "pending" && state !== "running";
export const isFinalRun = (state: RunState): boolean => state !== "pending" && state !== "running";

/** Runs and callbacks say `success`, everything else `succeeded`; this function alone maps. */
export function stageToRun(state: "succeeded" | "failed" | "canceled"): "success" | "failed" | "canceled" {
  return state === "succeeded" ? "success" : state;
}
