export { createLocalExecutor, type LocalExecutor } from "./executor.ts";
export type { KillStrategy, LocalExecutorOptions, LocalPorts, StepAccount } from "./options.ts";
