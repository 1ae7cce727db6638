/** The whole of a data directory as one archive, and back. */
export { type RestoredFiles, type RestoreRequest, restoreFiles } from "./restore.ts";
export { type BackupRequest, type BackupSummary, makeBackup, type NewBackup } from "./write.ts";
