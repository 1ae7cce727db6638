/** All aggregates over one database. */
import { type ArtifactRows, createArtifactRows } from "./artifacts.ts";
import { type AuditStore, createAuditStore } from "./audit.ts";
import type { Database } from "./database.ts";
import { createDeploymentStore, type DeploymentStore } from "./deployments.ts";
import { createExecutionStore, type ExecutionStore } from "./executions.ts";
import { createIdempotencyStore, type IdempotencyStore } from "./idempotency.ts";
import { createJobStore, type JobStore } from "./jobs.ts";
import { createNodeStore, type NodeStore } from "./nodes.ts";
import { createPipelineStore, type PipelineStore } from "./pipelines.ts";
import { createProjectStore, type ProjectStore } from "./projects.ts";
import { createDiscardStore, type DiscardStore } from "./purge.ts";
import { createRegistryLoginStore, type RegistryLoginStore } from "./registry-logins.ts";
import { createReportStore, type ReportStore } from "./reports.ts";
import { createRepositoryStore, type RepositoryStore } from "./repositories.ts";
import { createRunStore, type RunStore } from "./runs.ts";
import { createSecretStore, type SecretStore } from "./secrets.ts";
import { readStatistics, type Statistics } from "./statistics.ts";
import { createStepStore, type StepStore } from "./steps.ts";
import { createTokenStore, type TokenStore } from "./tokens.ts";
import { createTransitionStore, type TransitionStore } from "./transitions.ts";

export interface Store {
  readonly projects: ProjectStore;
  readonly repositories: RepositoryStore;
  readonly pipelines: PipelineStore;
  readonly runs: RunStore;
  readonly jobs: JobStore;
  readonly steps: StepStore;
  readonly executions: ExecutionStore;
  readonly artifacts: ArtifactRows;
  readonly transitions: TransitionStore;
  readonly nodes: NodeStore;
  readonly deployments: DeploymentStore;
  readonly tokens: TokenStore;
  readonly audit: AuditStore;
  readonly idempotency: IdempotencyStore;
  readonly secrets: SecretStore;
  readonly registryLogins: RegistryLoginStore;
  readonly reports: ReportStore;
  readonly discards: DiscardStore;
  statistics(): Promise<Statistics>;
  connections: Database["connections"];
}

export function createStore(database: Database): Store {
  return {
    projects: createProjectStore(database),
    repositories: createRepositoryStore(database),
    pipelines: createPipelineStore(database),
    runs: createRunStore(database),
    jobs: createJobStore(database),
    steps: createStepStore(database),
    executions: createExecutionStore(database),
    artifacts: createArtifactRows(database),
    transitions: createTransitionStore(database),
    nodes: createNodeStore(database),
    deployments: createDeploymentStore(database),
    tokens: createTokenStore(database),
    audit: createAuditStore(database),
    idempotency: createIdempotencyStore(database),
    secrets: createSecretStore(database),
    registryLogins: createRegistryLoginStore(database),
    reports: createReportStore(database),
    discards: createDiscardStore(database),
    statistics: () => readStatistics(database),
    connections: () => database.connections(),
  };
}
