/** Completes an attempt: collects its outputs, then lets its inator evaluate the end. */
import type { CollectedOutput, CompletedExecution, Outcome, OutputSpec } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { OrchestratorDeps } from "../types.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";
import type { Attempt } from "./attempt.ts";
import { collectOutputs, notCollected } from "./collect-outputs.ts";

function evaluated(
  attempt: Attempt,
  outcome: Outcome,
  outputs: readonly CollectedOutput[],
  probed: Outcome | null = null,
): CompletedExecution {
  const { result, artifacts } = attempt.inator.evaluate(attempt.subject.step.plan, outcome, outputs, probed);
  return { executionId: attempt.id, result, outcome, artifacts };
}

/** Evaluates an end that leaves no outputs. */
export function completeWithoutOutputs(
  attempt: Attempt,
  outcome: Outcome,
  probed: Outcome | null = null,
): CompletedExecution {
  return evaluated(attempt, outcome, [], probed);
}

/**
 * Collects the outputs and evaluates the end. Null: the process stops before all is collected, and the next one collects
 * again.
 * @throws Problem database_unavailable: try again
 */
export async function completeEnded(
  deps: OrchestratorDeps,
  workspaces: Workspaces,
  attempt: Attempt,
  outcome: Outcome,
  stopping: AbortSignal,
): Promise<CompletedExecution | null> {
  const wanted = attempt.inator.wanted(attempt.subject.step.plan, outcome);
  if (wanted.length === 0) return completeWithoutOutputs(attempt, outcome);
  try {
    return evaluated(attempt, outcome, await collect(deps, workspaces, attempt, wanted, stopping));
  } catch (error) {
    if (stopping.aborted) {
      if (attempt.collections !== null) await deps.store.executions.undoCollection(attempt.id, deps.owner);
      return null;
    }
    const problem = Problem.from(error);
    if (problem.code === "database_unavailable") throw problem;
    // The end stands as the executor reported it; only the outputs are missing.
    const absent = wanted.map((output) => notCollected(output, problem));
    return evaluated(attempt, outcome, absent);
  }
}

/** Maximum number of collections that end their process. Two may be an accident; a third would end the next process. */
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
