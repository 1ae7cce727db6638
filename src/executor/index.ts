export type {
  CancelCause,
  ExecutionHandle,
  Executor,
  ExecutorHint,
  FoundOutput,
} from "./types.ts";
