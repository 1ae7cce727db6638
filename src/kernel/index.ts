export { type Clock, systemClock, wakeReason } from "./clock.ts";
export { type Coalescer, createCoalescer } from "./coalescer.ts";
export { defaultDataDirectory } from "./data-directory.ts";
export { createIdleMemory, type Heap, limitNewSpace } from "./idle-memory.ts";
export {
  type AnyId,
  type ArtifactId,
  brandId,
  type DeploymentId,
  type ExecutionId,
  type InstanceId,
  isId,
  type JobId,
  newId,
  type PipelineId,
  type ProjectId,
  type RepositoryId,
  type RunId,
  type StepId,
  type TokenId,
} from "./ids.ts";
export {
  createLogger,
  type LogFields,
  type LogForm,
  type Logger,
  type LogLevel,
  silentLogger,
} from "./log.ts";
export { createLoop, type Loop, type LoopOptions } from "./loop.ts";
export {
  allPids,
  closeInherited,
  isExecuting,
  type Machine,
  type ProcessInfo,
  readEnvironment,
  readProcess,
  thisMachine,
} from "./machine.ts";
export { makeDirectory } from "./make-directory.ts";
export { assertNever } from "./never.ts";
export {
  errorCode,
  errorMessage,
  Problem,
  type ProblemCode,
  type ProblemOptions,
  problems,
} from "./problem.ts";
export { shellQuote, shellWord } from "./shell-quote.ts";
export { maxSocketPathBytes } from "./socket-path.ts";
export { withoutTrailing } from "./without-trailing.ts";
