export type { RegistryClient } from "./collect.ts";
export { createOrchestrator } from "./orchestrator.ts";
export type { Orchestrator, OrchestratorDeps } from "./types.ts";
