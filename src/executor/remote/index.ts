export { createRemoteExecutor, type RemoteExecutorOptions } from "./executor.ts";
export { type CommandLauncherOptions, createCommandLauncher } from "./launchers/command.ts";
export type { Launcher, Report, Reports, Upload } from "./types.ts";
