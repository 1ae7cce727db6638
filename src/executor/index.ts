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
export { noSpaceReason } from "./free-space.ts";
export {
  createLocalExecutor,
  type KillStrategy,
  type LocalExecutor,
  type LocalExecutorOptions,
  type LocalPorts,
} from "./local/index.ts";
export { createExecutorRegistry, type ExecutorRegistryOptions } from "./registry.ts";
export type {
  CancelCause,
  ExecutionHandle,
  Executor,
  ExecutorCapabilities,
  ExecutorNotification,
  FoundOutput,
} from "./types.ts";
