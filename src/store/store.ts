/** All aggregates over one database. */

import { type AuditStore, createAuditStore } from "./access/audit.ts";
import { createIdempotencyStore, type IdempotencyStore } from "./access/idempotency.ts";
import { createSecretStore, type SecretStore } from "./access/secrets.ts";
import { createTokenStore, type TokenStore } from "./access/tokens.ts";
import { createPipelineStore, type PipelineStore } from "./catalog/pipelines.ts";
import { createProjectStore, type ProjectStore } from "./catalog/projects.ts";
import { createRegistryLoginStore, type RegistryLoginStore } from "./catalog/registry-logins.ts";
import { createRepositoryStore, type RepositoryStore } from "./catalog/repositories.ts";
import type { Database } from "./db/database.ts";
import { type ArtifactRows, createArtifactRows } from "./executions/artifacts.ts";
import { createDeploymentStore, type DeploymentStore } from "./executions/deployments.ts";
import { createExecutionStore, type ExecutionStore } from "./executions/executions.ts";
import { createInstanceStore, type InstanceStore } from "./executions/instances.ts";
import { createJobStore, type JobStore } from "./executions/jobs.ts";
import { createMaskedLogStore, type MaskedLogStore } from "./executions/masked-logs.ts";
import { createReportStore, type ReportStore } from "./executions/reports.ts";
import { createStepStore, type StepStore } from "./executions/steps.ts";
import { createDiscardStore, type DiscardStore } from "./runs/purge.ts";
import { createRunStore, type RunStore } from "./runs/runs.ts";
import { readStatistics, type Statistics } from "./runs/statistics.ts";
import { createTransitionStore, type TransitionStore } from "./runs/transitions.ts";

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
  readonly instances: InstanceStore;
  readonly deployments: DeploymentStore;
  readonly tokens: TokenStore;
  readonly audit: AuditStore;
  readonly idempotency: IdempotencyStore;
  readonly secrets: SecretStore;
  readonly registryLogins: RegistryLoginStore;
  readonly reports: ReportStore;
  readonly maskedLogs: MaskedLogStore;
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
    instances: createInstanceStore(database),
    deployments: createDeploymentStore(database),
    tokens: createTokenStore(database),
    audit: createAuditStore(database),
    idempotency: createIdempotencyStore(database),
    secrets: createSecretStore(database),
    registryLogins: createRegistryLoginStore(database),
    reports: createReportStore(database),
    maskedLogs: createMaskedLogStore(database),
    discards: createDiscardStore(database),
    statistics: () => readStatistics(database),
    connections: () => database.connections(),
  };
}
