/** Behaviour of a step that a test asks of the fake executor. By default a step begins at once and exits with 0. */
import type { Outcome, OutputSpec } from "../../domain/index.ts";
import type { FoundOutput } from "../types.ts";

export interface FakeBehaviour {
  /** `before`: stays waiting until `begin(name)`. `after`: begins, and stays there until `finish(name)`. */
  readonly hold?: "before" | "after";
  /** Fields of the outcome that differ from those of a clean success. Default: exit code 0. */
  readonly outcome?: Partial<Outcome>;
  /** Notifications sent for each change. Default 1; 0 plays lost notifications, 2 repeated ones. */
  readonly notifications?: number;
  /** Thrown by `submit`; nothing has begun then. */
  readonly submitError?: Error;
  /** Reaction of a new instance over the same world while the step has not ended. Default: it attaches. */
  readonly onRestart?: "attach" | "lose" | "forget";
  /** A step that does not heed cancel ends only by `finish`, `lose`, or a further cancel. */
  readonly onCancel?: "end" | "ignore once";
  /** Answers `outputs`. Default: refs are found, files are missing. */
  readonly outputs?: (wanted: readonly OutputSpec[]) => readonly FoundOutput[];
}

/** By step name: one behaviour for every attempt, or one per submit of that name (the last one repeats). */
export type FakeScript = Readonly<Record<string, FakeBehaviour | readonly FakeBehaviour[]>>;

/** The behaviour of the `nth` execution (from 0) of a step of that name. */
export function behaviourOf(script: FakeScript, name: string, nth: number): FakeBehaviour {
  const entry = script[name];
  if (entry === undefined) return {};
  if (isList(entry)) return entry[Math.min(nth, entry.length - 1)] ?? {};
  return entry;
}

function isList(entry: FakeBehaviour | readonly FakeBehaviour[]): entry is readonly FakeBehaviour[] {
  return Array.isArray(entry);
}

/** The outcome of an attempt that began, with fields over those of a clean success. */
export function endedWell(begunAt: Date, endedAt: Date, over: Partial<Outcome> = {}): Outcome {
  return {
    began: true,
    begunAt,
    endedAt,
    exitCode: 0,
    reason: null,
    message: null,
    workspaceWhole: false,
    logBytes: 0,
    logDropped: 0,
    killedBy: null,
    ...over,
  };
}

/** Ready-made outcomes for scripts and for `finish`. */
export const fakeOutcomes = {
  success: {},
  failure: { exitCode: 1, reason: "script_failed", message: "the script exited with status 1" },
  timeout: { exitCode: null, reason: "timed_out", message: "timed out", killedBy: "session" },
  outOfMemory: { exitCode: 137, reason: "out_of_memory", message: "out of memory" },
  lostAfterBegin: { exitCode: null, reason: "executor_lost", message: "the executor was lost" },
  lostBeforeBegin: {
    began: false,
    begunAt: null,
    exitCode: null,
    reason: "executor_lost",
    message: "lost before it began",
    workspaceWhole: true,
  },
  startFailed: {
    began: false,
    begunAt: null,
    exitCode: null,
    reason: "start_failed",
    message: "could not be started",
    workspaceWhole: true,
  },
} as const satisfies Record<string, Partial<Outcome>>;
