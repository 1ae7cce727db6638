export { createLocalExecutor, type LocalExecutor } from "./executor.ts";
export type { KillRung, LocalExecutorOptions, LocalPorts } from "./options.ts";
