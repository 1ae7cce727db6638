export { stepAllowList } from "./allow-list.ts";
export type * from "./client.ts";
export { makeDataDirectory } from "./data-directory.ts";
export type { OpenDatabase, OperationsDeps } from "./deps.ts";
export { createEmbeddedClient } from "./embedded-client.ts";
export { tidy } from "./housekeeping.ts";
export { isNodeAlive, joinNodes, type Membership, type ProcessIdentity } from "./membership.ts";
export { recordAbandoned } from "./recovery.ts";
export { readSettings, readSettingsFile } from "./settings.ts";
