export type { RegistryClient } from "./collect.ts";
export { createOrchestrator } from "./orchestrator.ts";
export { resolveDeadlineMs } from "./resolving.ts";
export type { Orchestrator, OrchestratorDeps, Resolver } from "./types.ts";
