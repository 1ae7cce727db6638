export type { ParsedPipeline, ParseOptions } from "./pipeline/file.ts";
export { misspelledFileName, parsePipeline } from "./pipeline/parse.ts";
export type { RepositoryFiles } from "./proposal/proposal.ts";
export { type ProposedFile, proposePipelineFile, relevantFiles } from "./proposal/propose.ts";
export {
  type DatabaseConfig,
  loadServerConfig,
  type Machine,
  type ServerConfig,
  type ServerConfigInput,
} from "./server/config.ts";
export { type ExecutorSection, executorSections } from "./server/executors.ts";
export { readConfigFile } from "./server/path.ts";
export type { ListenAddress } from "./server/readers.ts";
export { Secret } from "./server/secret.ts";
export {
  describeServerConfig,
  type ExecutorType,
  executorTypes,
  type SettingDescription,
} from "./server/settings.ts";
export { type PipelineProblem, type RenderOptions, renderPipelineProblems } from "./yaml/render-problems.ts";
export { yamlText } from "./yaml/text.ts";
