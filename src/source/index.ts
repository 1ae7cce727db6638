export type { CloneCredential } from "./credential.ts";
export { checkRef, isCommitId } from "./ref.ts";
export { createSource, type SourceOptions } from "./source.ts";
export type {
  CheckedOut,
  LocalCommitRequest,
  ResolvedSource,
  ResolveRequest,
  Source,
  UrlPolicy,
  WorkingTree,
  WorkingTreeRequest,
} from "./types.ts";
export { checkUrl, isSameHost, isSshAddress } from "./url.ts";
