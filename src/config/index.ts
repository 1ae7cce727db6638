export { readConfigFile } from "./config-file.ts";
export { misspelledName, parsePipeline } from "./parse-pipeline.ts";
export type { ParsedPipeline, ParseOptions } from "./pipeline-file.ts";
export type { RepositoryFiles } from "./proposal.ts";
export { filesThatMatter, type ProposedFile, proposePipelineFile } from "./propose.ts";
export { type PipelineProblem, type RenderOptions, renderPipelineProblems } from "./render-problems.ts";
export { Secret } from "./secret.ts";
export {
  type DatabaseConfig,
  loadServerConfig,
  type Machine,
  type ServerConfig,
  type ServerConfigInput,
} from "./server-config.ts";
export { describeServerConfig, type SettingDescription } from "./server-settings.ts";
export type { ListenAddress } from "./setting-readers.ts";
export { yamlText } from "./yaml-text.ts";
