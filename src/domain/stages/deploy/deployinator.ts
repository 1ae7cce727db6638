/**
 * Deploy: one step that sees artifacts and no source. A chart goes by `helm upgrade --install`, manifests by `kubectl
 * apply`, anything else by the file's own script. A deploy that was lost after it began may have succeeded: helm's
 * history is asked, and where that does not tell, it is `deploy_unknown` and a person resolves it; before its begin it is
 * lost like any step.
 */
import type { DeployPlan, StepPlan } from "../../model/execution-spec.ts";
import type { DeployConfig, TemplateVariables } from "../../model/pipeline-config.ts";
import { fillTemplate } from "../../model/template.ts";
import type { Inator } from "../stage.ts";
import { buildOutputs, evaluate, fillEnvironment, stepEnvironment } from "../stage-plan.ts";
import { helmScript, kubectlScript } from "./scripts.ts";
import { evaluateUnknown, historyStep, mayHaveTakenEffect } from "./unknown.ts";

/** Seconds that helm gets after SIGTERM to record a failed release. */
const helmGraceSeconds = 60;

export const deployinator: Inator = {
  jobType: "deploy",
  plan(config, { variables, graceSeconds }) {
    const { deploy } = config;
    if (deploy === null) return null;
    const plan = planDeploy(deploy, variables);
    const step: StepPlan = {
      name: "deploy",
      parallelGroup: null,
      image: deploy.image === null ? null : fillTemplate(deploy.image, variables),
      command: commandOf(deploy, plan),
      shell: deploy.run === null ? null : deploy.shell,
      env: {
        ...fillEnvironment(deploy.env, variables),
        ...stepEnvironment(variables),
        SHIPINATOR_TARGET: deploy.target,
        SHIPINATOR_NAMESPACE: plan.namespace,
        SHIPINATOR_TIMEOUT_SECONDS: String(deploy.timeoutSeconds),
        ...(plan.release === null ? {} : { SHIPINATOR_RELEASE: plan.release }),
        ...(deploy.artifact === null ? {} : { SHIPINATOR_ARTIFACT: deploy.artifact }),
      },
      secrets: deploy.secrets,
      source: "none",
      inputs: buildOutputs(config, variables),
      outputs: [],
      timeoutSeconds: deploy.timeoutSeconds,
      graceSeconds: plan.kind === "helm" ? Math.max(helmGraceSeconds, graceSeconds) : graceSeconds,
      retry: null,
      deploy: plan,
    };
    return [step];
  },
  wanted: () => [],
  probe: (plan, executionId, outcome) =>
    plan.deploy?.kind === "helm" && mayHaveTakenEffect(outcome) ? historyStep(plan, executionId) : null,
  evaluate(plan, outcome, collected, probed = null) {
    const evaluation = evaluate(outcome, collected);
    if (!mayHaveTakenEffect(outcome)) return evaluation;
    return { ...evaluation, result: evaluateUnknown(plan, outcome, probed) };
  },
};

function planDeploy(deploy: DeployConfig, variables: TemplateVariables): DeployPlan {
  const kind = deploy.run !== null ? "script" : deploy.artifactType === "helm_chart" ? "helm" : "manifest";
  const release =
    deploy.release === null ? releaseName(variables.pipeline) : fillTemplate(deploy.release, variables);
  return {
    target: deploy.target,
    namespace: fillTemplate(deploy.namespace, variables),
    release,
    kind,
  };
}

function commandOf(deploy: DeployConfig, plan: DeployPlan): string {
  if (deploy.run !== null) return deploy.run;
  return plan.kind === "helm" ? helmScript : kubectlScript;
}

/** A pipeline's name as a release name: RFC 1123 label, at most 53 characters (helm's limit). */
export function releaseName(pipeline: string): string {
  const label = pipeline
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 53)
    .replace(/^-+|-+$/g, "");
  return label === "" ? "release" : label;
}
