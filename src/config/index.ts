export {
  type ParsedPipeline,
  type ParseOptions,
  parsePipelineFile,
  pipelineDigest,
} from "./pipeline-file.ts";
export { type PipelineProblem, type RenderOptions, renderPipelineProblems } from "./render-problems.ts";
