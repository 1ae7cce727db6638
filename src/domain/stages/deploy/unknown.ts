/**
 * Evaluates a deploy that began and was lost. The release in helm's history carries the execution's id: its status
 * `deployed` is success. Any other status is reported to a person.
 */

import type { ExecutionId } from "../../../kernel/index.ts";
import type { Outcome, StepPlan } from "../../model/execution-spec.ts";
import type { Result } from "../stage.ts";
import { historyAnswers, historyScript } from "./scripts.ts";

const historySeconds = 60;
const historyGraceSeconds = 5;

export function mayHaveTakenEffect({ began, reason }: Outcome): boolean {
  return began && (reason === "executor_lost" || reason === "node_lost");
}

/** The probe, with the environment and account of the deploy. */
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

export function evaluateUnknown(plan: StepPlan, outcome: Outcome, probed: Outcome | null): Result {
  if (probed !== null && probed.reason === null && probed.exitCode === historyAnswers.deployed)
    return { state: "succeeded" };
  const lost = `the deploy was lost after it had begun, so it may or may not have taken effect (${outcome.message ?? "no report"})`;
  const found = probed === null ? [] : [describeProbe(plan, probed)];
  const message = [lost, ...found, "when you have looked, resolve it: shipinator deployments list"].join(
    "; ",
  );
  return { state: "lost", reason: "deploy_unknown", message };
}

function describeProbe({ deploy }: StepPlan, probed: Outcome): string {
  const release = `${deploy?.release} --namespace ${deploy?.namespace}`;
  switch (probed.exitCode) {
    case historyAnswers.pendingInstall:
      return `helm's history has it as pending-install, which nothing will finish; this removes it: helm uninstall ${release}`;
    case historyAnswers.pendingUpgrade:
      return `helm's history has it as pending-upgrade, which nothing will finish; this goes back: helm rollback ${release}`;
    case historyAnswers.failed:
      return "helm's history has it as failed";
    case historyAnswers.notOurs:
      return "helm's history does not show it as the newest";
    default:
      return `helm's history could not be read (${probed.message ?? `exit status ${probed.exitCode}`})`;
  }
}
