/** The parts that one reconcile of an attempt works with. */
import type { CompletedExecution } from "../../domain/index.ts";
import type { ExecutionId, RunId } from "../../kernel/index.ts";
import type { ModeOf, OrchestratorDeps } from "../types.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";
import type { Attempt } from "./attempt.ts";

export interface AttemptEvents {
  /** The run has something to record. */
  changed(runId: RunId): void;
  /** The attempt no longer needs its slot. */
  ended(id: ExecutionId): void;
  /** Acquires a slot again; false: none is free, and `free` is called when the attempt has one. */
  reacquire(id: ExecutionId, free: () => void): boolean;
  readonly modeOf: ModeOf;
}

export interface AttemptContext extends OrchestratorDeps {
  readonly workspaces: Workspaces;
  readonly events: AttemptEvents;
  readonly stopping: AbortSignal;
  readonly enqueue: (attempt: Attempt) => void;
  /** Keeps the end of the attempt until it is recorded. */
  readonly finish: (attempt: Attempt, completed: CompletedExecution) => void;
  /** Stops tracking an attempt that another process owns. */
  readonly drop: (attempt: Attempt) => void;
}
