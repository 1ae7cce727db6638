export { artifactPathFault, cleanArtifactPath } from "./model/artifact-path.ts";
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
} from "./model/execution-spec.ts";
export { mirrorName } from "./model/mirror-name.ts";
export * from "./model/pipeline-config.ts";
export {
  type FailureReason,
  failureReasons,
  type RetryableReason,
  retryableReasons,
} from "./model/reasons.ts";
export * from "./model/report.ts";
export * from "./model/states.ts";
export {
  fillTemplate,
  parseTemplate,
  type Template,
  type TemplateFault,
  type TemplatePart,
} from "./model/template.ts";
export * from "./model/vocabulary.ts";
export { maxInPlaceAttempts, plan } from "./planner/planner.ts";
export type * from "./planner/run-snapshot.ts";
export { buildinator } from "./stages/build/buildinator.ts";
export { deployinator, releaseName } from "./stages/deploy/deployinator.ts";
export type { Evaluation, Inator, PlanContext, Result } from "./stages/stage.ts";
export { testinator } from "./stages/test/testinator.ts";
export { unusedImage } from "./stages/unused-image.ts";
