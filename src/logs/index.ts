/** Logs: bytes exactly as the step wrote them, readable while it runs, cut at a visible cap. */
export { createLogStore } from "./store.ts";
export type {
  AppendResult,
  FollowRequest,
  LogBytes,
  LogStore,
  LogStoreDeps,
  WatchDirectory,
} from "./types.ts";
