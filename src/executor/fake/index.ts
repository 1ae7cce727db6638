export { type FakeBehaviour, type FakeScript, fakeOutcomes } from "./behaviour.ts";
export { createFakeExecutor, type FakeExecutor, type FakeExecutorOptions } from "./executor.ts";
export { createFakeWorld, type FakeEvent, type FakeWorld } from "./world.ts";
