/** The parts that one reconcile of a run works with. */
import type { ChangeSet } from "../../domain/index.ts";
import type { RunId } from "../../kernel/index.ts";
import type { Attempts } from "../executions/attempts.ts";
import type { Dispatcher } from "../scheduling/dispatcher.ts";
import type { OrchestratorDeps } from "../types.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";
import type { SourceResolution } from "./source-resolution.ts";
import type { TrackedRuns } from "./tracked-runs.ts";

export interface ReconcileContext extends OrchestratorDeps {
  readonly runs: TrackedRuns;
  readonly attempts: Attempts;
  readonly dispatcher: Dispatcher;
  readonly resolution: SourceResolution;
  readonly workspaces: Workspaces;
  readonly recorded: (changes: ChangeSet, runId: RunId) => void;
  readonly enqueue: (runId: RunId) => void;
  readonly stopping: AbortSignal;
}
