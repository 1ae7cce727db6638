export type * from "../contract/index.ts";
export { type AdminTokenFile, ensureAdminToken, readAdminToken } from "./auth/admin-token.ts";
export { stepAllowList } from "./auth/allow-list.ts";
export { type Authenticator, createAuthenticator } from "./auth/authenticate.ts";
export { type Caller, localCaller } from "./auth/caller.ts";
export { createExecutionTokens, type ExecutionTokens } from "./auth/execution-token.ts";
export type { IdempotencyKey, IdempotencyStore } from "./auth/idempotency.ts";
export { type Operation, type OperationNeeds, operationNeeds } from "./auth/scopes.ts";
/** The whole of a data directory as one archive, and back. */
export { type RestoredFiles, type RestoreRequest, restoreFiles } from "./backup/restore.ts";
export { type BackupRequest, type BackupSummary, makeBackup, type NewBackup } from "./backup/write.ts";
export type { CallbackClient, Download, UploadRequest } from "./callbacks/client.ts";
export type * from "./client.ts";
export { makeDataDirectory, restoreMark } from "./data-directory.ts";
export type { OpenDatabase, ServiceDeps } from "./deps.ts";
export { cleanUp } from "./maintenance/cleanup.ts";
export {
  type InstanceRegistration,
  isInstanceAlive,
  type ProcessIdentity,
  registerInstance,
} from "./maintenance/instance.ts";
export { createMaintenance, type Maintenance } from "./maintenance/maintenance.ts";
export { observeAbandoned } from "./maintenance/recovery.ts";
export { excerptLines, excerptOf, gapLine } from "./runs/excerpt.ts";
export { createResolver } from "./runs/resolver.ts";
export { readCloneCredential, readRegistryLogin } from "./secrets/credentials.ts";
export { createSecretKeys, type SecretKeys } from "./secrets/keys.ts";
export { decryptSecrets } from "./secrets/secrets.ts";
export { createServices, type Services, type Watch } from "./services.ts";
export { readSettings, readSettingsFile } from "./settings.ts";
export { findStepAccount, findStepAccounts, refuseDatabaseOwner, type StepAccount } from "./step-account.ts";
