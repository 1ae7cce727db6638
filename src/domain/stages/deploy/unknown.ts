/**
 * A deploy that began and was lost. Helm keeps a history, and the release carries the execution's id: that it says
 * `deployed` is success. Whatever else it says is for a person, who is told it.
 */

import type { ExecutionId } from "../../../kernel/index.ts";
import type { Outcome, StepPlan } from "../../model/execution-spec.ts";
import type { Verdict } from "../stage.ts";
import { historyAnswers, historyScript } from "./scripts.ts";

const historySeconds = 60;
const historyGraceSeconds = 5;

export function mayHaveTakenEffect({ began, reason }: Outcome): boolean {
  return began && (reason === "executor_lost" || reason === "node_lost");
}

/** The question, in the deploy's own surroundings. */
export function historyStep(plan: StepPlan, executionId: ExecutionId): StepPlan {
  return {
    ...plan,
    name: "helm history",
    command: historyScript,
    shell: null,
    env: { ...plan.env, SHIPINATOR_DEPLOY_EXECUTION_ID: executionId },
    inputs: [],
    outputs: [],
    timeoutSeconds: historySeconds,
    graceSeconds: historyGraceSeconds,
    retry: null,
    deploy: null,
  };
}

export function judgeUnknown(plan: StepPlan, outcome: Outcome, answer: Outcome | null): Verdict {
  if (answer !== null && answer.reason === null && answer.exitCode === historyAnswers.deployed)
    return { state: "succeeded" };
  const lost = `the deploy was lost after it had begun, so it may or may not have taken effect (${outcome.message ?? "no report"})`;
  const told = answer === null ? [] : [sayAnswer(plan, answer)];
  const message = [lost, ...told, "when you have looked, settle it: shipinator deployments list"].join("; ");
  return { state: "lost", reason: "deploy_unknown", message };
}

function sayAnswer({ deploy }: StepPlan, answer: Outcome): string {
  const release = `${deploy?.release} --namespace ${deploy?.namespace}`;
  switch (answer.exitCode) {
    case historyAnswers.pendingInstall:
      return `helm's history has it as pending-install, which nothing will finish; this removes it: helm uninstall ${release}`;
    case historyAnswers.pendingUpgrade:
      return `helm's history has it as pending-upgrade, which nothing will finish; this goes back: helm rollback ${release}`;
    case historyAnswers.failed:
      return "helm's history has it as failed";
    case historyAnswers.notOurs:
      return "helm's history does not show it as the newest";
    default:
      return `helm's history could not be read (${answer.message ?? `exit status ${answer.exitCode}`})`;
  }
}
