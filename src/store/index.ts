export { type AcceptedRun, configDigest, type NewRun, type RunIdentity } from "./accept.ts";
export { type Adopted, goneMeanwhile } from "./adopt.ts";
export type { ApplyContext, Owner } from "./apply.ts";
export type { ArtifactRows } from "./artifacts.ts";
export type { NewAuditEntry } from "./audit.ts";
export { reportChannel, tokenChannel } from "./channels.ts";
export type { ConnectionSettings, SslMode } from "./connection-settings.ts";
export { type Database, type DatabaseOptions, openDatabase, type Queryable } from "./database.ts";
export type { DeploymentStore } from "./deployments.ts";
export {
  type EmbeddedOptions,
  type EmbeddedPostgres,
  makeDirectory,
  startEmbeddedPostgres,
} from "./embedded/index.ts";
export type { ExecutionStore, ExecutionUnderWay, ExecutionWork, LogState } from "./executions.ts";
export type { IdempotencyRequest, IdempotencyStore, Reservation } from "./idempotency.ts";
export type { JobStore } from "./jobs.ts";
export { createListener, type Listener } from "./listener.ts";
export { type LoadRequest, type LoadTable, loadDatabase } from "./load.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export type { NewJob } from "./new-jobs.ts";
export type { NewNode, NodeStore } from "./nodes.ts";
export type { RunStanding, TakenRun } from "./ownership.ts";
export type { Page, PageRequest } from "./page.ts";
export type { NewPipeline, PipelineReading, PipelineStore } from "./pipelines.ts";
export type { ProjectStore } from "./projects.ts";
export type { Discarded } from "./purge.ts";
export type { RegistryLoginRow } from "./registry-logins.ts";
export type { ProjectContents } from "./removal.ts";
export type * from "./reports.ts";
export type { CloneCredentialName, NewRepository, RepositoryStore } from "./repositories.ts";
export type { ResolvedRun } from "./resolve.ts";
export type * from "./rows.ts";
export type { RunListFilter, RunStore } from "./runs.ts";
export type { SealedSecret, SealedValue, SecretRow, SecretStore } from "./secrets.ts";
export { type DatabaseSnapshot, openSnapshot, type TableShape } from "./snapshot.ts";
export type { Statistics } from "./statistics.ts";
export type { StepStore } from "./steps.ts";
export { createStore, type Store } from "./store.ts";
export type { SubmittedRun } from "./submit.ts";
export type { RunSummaryRows } from "./summary.ts";
export type { FileTokens, TokenMatch, TokenStore } from "./tokens.ts";
export type { TransitionStore } from "./transitions.ts";
export { removedPipeline } from "./unique.ts";
