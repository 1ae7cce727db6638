export { createExecutorByType, type ExecutorsByType } from "./by-type.ts";
export {
  createFakeExecutor,
  createFakeWorld,
  type FakeBehaviour,
  type FakeEvent,
  type FakeExecutor,
  type FakeExecutorOptions,
  type FakeScript,
  type FakeWorld,
  fakeOutcomes,
} from "./fake/index.ts";
export {
  createLocalExecutor,
  type KillRung,
  type LocalExecutor,
  type LocalExecutorOptions,
  type LocalPorts,
} from "./local/index.ts";
export type {
  CancelCause,
  ExecutionHandle,
  Executor,
  ExecutorHint,
  FoundOutput,
} from "./types.ts";
