/** Common parts of the stages: steps from the file, and the evaluation of an attempt's end. */

import { Problem } from "../../kernel/index.ts";
import { artifactPathFault } from "../model/artifact-path.ts";
import type { CollectedOutput, InputSpec, Outcome, StepPlan } from "../model/execution-spec.ts";
import type {
  OutputConfig,
  PipelineConfig,
  StepConfig,
  TemplateVariables,
} from "../model/pipeline-config.ts";
import { fillTemplate } from "../model/template.ts";
import type { Evaluation, PlanContext, Result } from "./stage.ts";

/** The facts of a run that every step finds in its environment; a branch name can never become shell code. */
export function stepEnvironment(variables: TemplateVariables): Record<string, string> {
  return {
    CI: "true",
    SHIPINATOR_COMMIT: variables.commit,
    SHIPINATOR_SHORT_COMMIT: variables.short_commit,
    SHIPINATOR_REF: variables.ref,
    SHIPINATOR_BRANCH: variables.branch,
    SHIPINATOR_TAG: variables.tag,
    SHIPINATOR_RUN_ID: variables.run_id,
    SHIPINATOR_RUN_NUMBER: variables.run_number,
    SHIPINATOR_PIPELINE: variables.pipeline,
  };
}

export function fillEnvironment(
  env: Readonly<Record<string, string>>,
  variables: TemplateVariables,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, fillTemplate(value, variables)]),
  );
}

/** A build or test step, template variables filled in. */
export function planStep(
  step: StepConfig,
  inputs: readonly InputSpec[],
  { variables, graceSeconds }: PlanContext,
): StepPlan {
  return {
    name: step.name,
    parallelGroup: step.parallelGroup,
    image: step.image === null ? null : fillTemplate(step.image, variables),
    command: step.run,
    shell: step.shell,
    env: { ...fillEnvironment(step.env, variables), ...stepEnvironment(variables) },
    secrets: step.secrets,
    source: "tree",
    inputs,
    outputs: step.outputs.map((output) => planOutput(output, variables)),
    timeoutSeconds: step.timeoutSeconds,
    graceSeconds,
    retry: step.retry,
    deploy: null,
  };
}

function planOutput(output: OutputConfig, variables: TemplateVariables): StepPlan["outputs"][number] {
  return {
    name: output.name,
    type: output.type,
    path: output.path === null ? null : filledPath(output.name, output.path, variables),
    ref: output.ref === null ? null : fillTemplate(output.ref, variables),
    required: true,
  };
}

/** A path is checked once more when it is filled: a branch may hold what the file could not. */
function filledPath(name: string, template: string, variables: TemplateVariables): string {
  const path = fillTemplate(template, variables);
  const fault = artifactPathFault(path);
  if (fault !== null)
    throw new Problem(
      "config_invalid",
      `the path of output ${name} becomes ${JSON.stringify(path)}, which ${fault}`,
    );
  return path;
}

/** The outputs of the build stage, as inputs of later jobs. */
export function buildOutputs(config: PipelineConfig, variables: TemplateVariables): InputSpec[] {
  const outputs = config.build?.steps.flatMap((step) => step.outputs) ?? [];
  return outputs.map((output) => {
    const { name, type, path } = planOutput(output, variables);
    return { name, type, path };
  });
}

/**
 * Evaluates an attempt's end. Success needs exit status 0, the executor's own final report and every declared artifact.
 * An attempt that the executor lost is `lost`; the planner decides whether it is repeated in place.
 */
export function evaluate(outcome: Outcome, collected: readonly CollectedOutput[]): Evaluation {
  const artifacts = collected.filter((output) => output.found);
  return { result: resultOf(outcome, collected), artifacts };
}

function resultOf(outcome: Outcome, collected: readonly CollectedOutput[]): Result {
  const { reason, exitCode, message } = outcome;
  if (reason === "canceled") return { state: "canceled", reason, message };
  if (reason === "executor_lost" || reason === "node_lost") return { state: "lost", reason, message };
  if (reason !== null) return { state: "failed", reason, message };
  if (exitCode !== 0) {
    const fact = exitCode === null ? "the step ended without an exit status" : `exit status ${exitCode}`;
    return {
      state: "failed",
      reason: exitCode === null ? "internal" : "script_failed",
      message: message ?? fact,
    };
  }
  const absent = collected.find((output) => !output.found && output.required);
  if (absent !== undefined && !absent.found)
    return { state: "failed", reason: absent.reason, message: absent.message };
  return { state: "succeeded" };
}
