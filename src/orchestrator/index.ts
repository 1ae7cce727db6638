export type { RegistryClient } from "./executions/collect-outputs.ts";
export { createOrchestrator } from "./orchestrator.ts";
export { resolveDeadlineMs } from "./reconcile/source-resolution.ts";
export type { Orchestrator, OrchestratorDeps, SourceResolver } from "./types.ts";
