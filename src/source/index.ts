export type { CloneCredential } from "./git/credential.ts";
export { checkRef, isCommitId } from "./git/ref.ts";
export { checkUrl, isSameHost, isSshAddress } from "./git/url.ts";
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
