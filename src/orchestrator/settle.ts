/** From an attempt's end to what is recorded of it: its outputs are collected, then its inator judges. */
import type { CollectedOutput, Outcome, OutputSpec, SettledExecution } from "../domain/index.ts";
import { Problem } from "../kernel/index.ts";
import type { Attempt } from "./attempt.ts";
import { collectOutputs, notCollected } from "./collect.ts";
import type { OrchestratorDeps } from "./types.ts";
import type { Workspaces } from "./workspaces.ts";

function judged(
  attempt: Attempt,
  outcome: Outcome,
  outputs: readonly CollectedOutput[],
  answer: Outcome | null = null,
): SettledExecution {
  const { verdict, artifacts } = attempt.inator.settle(attempt.subject.step.plan, outcome, outputs, answer);
  return { executionId: attempt.id, verdict, outcome, artifacts };
}

/** An end that leaves no outputs. */
export function settleBare(
  attempt: Attempt,
  outcome: Outcome,
  answer: Outcome | null = null,
): SettledExecution {
  return judged(attempt, outcome, [], answer);
}

/**
 * Null: the process stops before all was collected; the next one collects anew.
 * @throws Problem database_unavailable, after which it is tried again
 */
export async function settleEnd(
  deps: OrchestratorDeps,
  workspaces: Workspaces,
  attempt: Attempt,
  outcome: Outcome,
  stopping: AbortSignal,
): Promise<SettledExecution | null> {
  const wanted = attempt.inator.wanted(attempt.subject.step.plan, outcome);
  if (wanted.length === 0) return settleBare(attempt, outcome);
  try {
    return judged(attempt, outcome, await collect(deps, workspaces, attempt, wanted, stopping));
  } catch (error) {
    if (stopping.aborted) {
      if (attempt.collections !== null) await deps.store.executions.undoCollection(attempt.id, deps.owner);
      return null;
    }
    const problem = Problem.from(error);
    if (problem.code === "database_unavailable") throw problem;
    // The end stands as the executor told it; the outputs are what is missing.
    const absent = wanted.map((output) => notCollected(output, problem));
    return judged(attempt, outcome, absent);
  }
}

/** Collections that end their process. Two may be an accident; a third would only end the next process. */
const maxBrokenCollections = 2;

/** @throws Problem internal: earlier processes ended while they collected */
async function countCollection({ store, owner }: OrchestratorDeps, attempt: Attempt): Promise<void> {
  attempt.collections ??= await store.executions.beginCollection(attempt.id, owner);
  if (attempt.collections > maxBrokenCollections)
    throw new Problem(
      "internal",
      `The server ended ${maxBrokenCollections} times while it collected the outputs of this step, so they are not collected again.`,
      { remedy: "Name fewer or smaller outputs, and report this with the server's log." },
    );
}

async function collect(
  deps: OrchestratorDeps,
  workspaces: Workspaces,
  attempt: Attempt,
  wanted: readonly OutputSpec[],
  stopping: AbortSignal,
): Promise<readonly CollectedOutput[]> {
  await countCollection(deps, attempt);
  const spec = await workspaces.describe(attempt.subject);
  const { artifacts, registry, executor } = deps;
  const found = await executor.outputs(spec, wanted, stopping);
  return await collectOutputs({ artifacts, registry, run: spec.job.runId }, found, stopping);
}
