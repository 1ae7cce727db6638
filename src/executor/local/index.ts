export { createLocalExecutor, type LocalExecutor } from "./executor.ts";
export type { KillRung, LocalExecutorOptions, LocalPorts, StepAccount } from "./options.ts";
