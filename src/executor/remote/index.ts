export { type CommandLauncherOptions, createCommandLauncher } from "./command-launcher.ts";
export { createRemoteExecutor, type RemoteExecutorOptions } from "./executor.ts";
export type { Launcher, LaunchOrder, Report, Reports, Upload } from "./types.ts";
