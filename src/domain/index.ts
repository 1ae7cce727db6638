export { artifactPathFault, cleanArtifactPath } from "./artifact-path.ts";
export type {
  ArtifactMetadata,
  CollectedOutput,
  DeployPlan,
  ExecutionSpec,
  ExecutionStatus,
  InputArtifact,
  InputSpec,
  JobSpec,
  Outcome,
  OutputSpec,
  SourceSpec,
  StepPlan,
} from "./execution-spec.ts";
export type { Inator, PlanContext, Settlement, Verdict } from "./inator.ts";
export { mirrorName } from "./mirror-name.ts";
export * from "./pipeline-config.ts";
export { maxInPlaceAttempts, type PlanMode, plan } from "./planner.ts";
export { type FailureReason, failureReasons, type RetryableReason, retryableReasons } from "./reasons.ts";
export * from "./report.ts";
export type * from "./snapshot.ts";
export { buildOutputs, fillEnvironment, judge, planStep, stepEnvironment } from "./stage-plan.ts";
export * from "./states.ts";
export {
  fillTemplate,
  parseTemplate,
  type Template,
  type TemplateFault,
  type TemplatePart,
} from "./template.ts";
export { unusedImage } from "./unused-image.ts";
