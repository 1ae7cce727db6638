export { createLocalExecutor, type LocalExecutor } from "./executor.ts";
export { readProcess, thisMachine } from "./machine.ts";
export type { KillRung, LocalExecutorOptions, LocalPorts, StepAccount } from "./options.ts";
