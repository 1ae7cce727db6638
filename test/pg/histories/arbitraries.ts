/** Random pipelines, random behaviour of their attempts, random histories. */
import fc from "fast-check";
import { type FakeBehaviour, fakeOutcomes } from "../../../src/executor/index.ts";
import { Problem } from "../../../src/kernel/index.ts";
import type { StageGiven, StageName } from "./model.ts";

export const outcomes = Object.keys(fakeOutcomes) as readonly (keyof typeof fakeOutcomes)[];
export type OutcomeName = (typeof outcomes)[number];

/** Something that the world does to one of its live attempts, picked by a number. */
export interface Move {
  readonly pick: number;
  readonly how: "begin" | "end" | "hint";
  readonly outcome: OutcomeName;
}

/** What becomes of who asks the run's repository: it does not answer, is away for now, has nothing to run, or gives it. */
export type Remote = "silent" | "away" | "broken" | "found";

export type Action =
  | { readonly kind: "world"; readonly moves: readonly Move[] }
  | { readonly kind: "remote"; readonly to: Remote }
  | {
      readonly kind: "cancel";
      readonly moves: readonly Move[];
      readonly told: "told" | "untold";
      /** In the moment of the request the repository comes to this. */
      readonly remote: Remote | null;
    }
  | { readonly kind: "stop"; readonly moves: readonly Move[] }
  | {
      readonly kind: "crash";
      readonly moves: readonly Move[];
      readonly remote: Remote | null;
      /** State in which the next owners find the repository. */
      readonly afterwards: Remote | null;
      /** After so many gates of the process; then so many of each that takes over, until one is spared. */
      readonly passes: number;
      readonly heirs: readonly number[];
    }
  /** The oldest frozen process wakes; `alone`: while the owner of the run sleeps. */
  | { readonly kind: "thaw"; readonly moves: readonly Move[]; readonly company: "alone" | "together" }
  | { readonly kind: "elapse" };

export interface History {
  /** `resolved`: everything was known when it was accepted; else how its repository is then. */
  readonly begins: "resolved" | Remote;
  readonly stages: readonly StageGiven[];
  /** By step name, an attempt each; the last one repeats. */
  readonly behaviours: Readonly<Record<string, readonly FakeBehaviour[]>>;
  readonly slots: number;
  readonly actions: readonly Action[];
}

const move: fc.Arbitrary<Move> = fc.record({
  pick: fc.nat(20),
  how: fc.constantFrom("begin", "end", "end", "end", "hint"),
  outcome: fc.oneof(
    { weight: 3, arbitrary: fc.constant("success" as const) },
    { weight: 2, arbitrary: fc.constantFrom(...outcomes) },
  ),
});

const moves = (max: number) => fc.array(move, { maxLength: max });
const passes = fc.nat(14);
const remote = fc.constantFrom("silent", "away", "broken", "found", "found");
const maybeRemote = fc.option(remote, { freq: 2 });

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("world" as const), moves: moves(4) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cancel" as const),
      moves: moves(2),
      told: fc.constantFrom("told", "untold"),
      remote: maybeRemote,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stop" as const), moves: moves(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      moves: moves(3),
      remote: maybeRemote,
      afterwards: maybeRemote,
      passes,
      heirs: fc.array(passes, { maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("thaw" as const),
      moves: moves(3),
      company: fc.constantFrom("alone", "together"),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "elapse" } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remote" as const), to: remote }) },
);

const submitError = new Problem("executor_failed", "the fake refuses to start it");

const behaviour: fc.Arbitrary<FakeBehaviour> = fc
  .record({
    hold: fc.constantFrom("before", "before", "after", "no"),
    outcome: fc.oneof(
      { weight: 4, arbitrary: fc.constant("success" as const) },
      { weight: 1, arbitrary: fc.constantFrom(...outcomes) },
    ),
    notifications: fc.constantFrom(0, 1, 1, 2),
    onRestart: fc.constantFrom("attach", "attach", "attach", "lose", "forget"),
    onCancel: fc.constantFrom("end", "end", "ignore once"),
    refused: fc.constantFrom("no", "no", "no", "no", "no", "no", "yes"),
  })
  .map(({ hold, outcome, onCancel, refused, ...rest }) => ({
    ...rest,
    ...(hold === "no" ? {} : { hold: hold as "before" | "after" }),
    outcome: fakeOutcomes[outcome],
    // Before its begin a step has no say; and what is forgotten could never answer its cancel.
    onCancel:
      hold === "after" && rest.onRestart !== "forget"
        ? (onCancel as "end" | "ignore once")
        : ("end" as const),
    ...(refused === "yes" ? { submitError } : {}),
  }));

const retry = fc.option(
  fc.record({
    max: fc.integer({ min: 1, max: 2 }),
    on: fc.subarray(["script_failed", "timed_out", "executor_lost", "start_failed"], { minLength: 1 }),
  }),
  { freq: 2 },
);

function stage(name: StageName): fc.Arbitrary<StageGiven> {
  const one = fc.record({ group: fc.constantFrom(null, null, "x", "x", "y"), retry });
  return fc.array(one, { minLength: 1, maxLength: name === "deploy" ? 1 : 4 }).map((steps) => ({
    name,
    steps: steps.map((step, index) => ({
      name: `${name[0]}${index}`,
      // A group is not torn apart by another step: what comes back later is another group.
      group: step.group === null ? null : `${step.group}${partOf(steps, index)}`,
      retry: name === "deploy" ? null : step.retry,
    })),
  }));
}

/** Counts the changes of group up to here. */
function partOf(steps: readonly { readonly group: string | null }[], index: number): number {
  return steps.slice(1, index + 1).filter((step, at) => step.group !== steps[at]?.group).length;
}

export const histories: fc.Arbitrary<History> = historiesOf({
  begins: fc.oneof(
    { weight: 2, arbitrary: fc.constant("resolved" as const) },
    { weight: 1, arbitrary: remote },
  ),
  actions: fc.array(action, { minLength: 1, maxLength: 14 }),
});

const early = fc.nat(5);
const earlyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remote" as const), to: remote }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cancel" as const),
      moves: fc.constant([]),
      told: fc.constantFrom("told", "untold"),
      remote: maybeRemote,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      moves: fc.constant([]),
      remote,
      afterwards: fc.constantFrom("silent", "away", "away", "found"),
      passes: early,
      heirs: fc.array(early, { maxLength: 1 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("thaw" as const),
      moves: fc.constant([]),
      company: fc.constantFrom("alone", "together"),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "elapse" } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stop" as const), moves: fc.constant([]) }) },
);

/** All that happens, happens while the run waits for its repository. */
export const earlyHistories: fc.Arbitrary<History> = historiesOf({
  begins: fc.constantFrom("silent", "away"),
  actions: fc.array(earlyAction, { minLength: 1, maxLength: 8 }),
});

function historiesOf({
  begins,
  actions,
}: {
  readonly begins: fc.Arbitrary<History["begins"]>;
  readonly actions: fc.Arbitrary<readonly Action[]>;
}): fc.Arbitrary<History> {
  return fc
    .subarray(["build", "test", "deploy"] as const, { minLength: 1 })
    .chain((names) => fc.tuple(...names.map(stage)))
    .chain((stages) =>
      fc.record({
        begins,
        stages: fc.constant(stages),
        behaviours: fc.record(
          Object.fromEntries(
            stages
              .flatMap(({ steps }) => steps)
              .map(({ name }) => [name, fc.array(behaviour, { minLength: 1, maxLength: 4 })]),
          ),
        ),
        slots: fc.integer({ min: 1, max: 4 }),
        actions,
      }),
    );
}
