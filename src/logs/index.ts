/** Logs: bytes exactly as the step wrote them, readable while it runs and limited by a cap. */
export { createLogStore } from "./store.ts";
export { timesFile } from "./times.ts";
export type {
  AppendResult,
  FollowRequest,
  LogBytes,
  LogStore,
  LogStoreDeps,
  LogTime,
  WatchDirectory,
} from "./types.ts";
