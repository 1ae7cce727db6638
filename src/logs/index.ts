/** Logs: bytes exactly as the step wrote them, readable while it runs, cut at a visible cap. */
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
