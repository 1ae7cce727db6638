/** Options of the application. */
import type { LogForm } from "../kernel/index.ts";

/** Facts about the process, which only `main` reads. */
export interface HostProcess {
  readonly pid: number;
  readonly platform: string;
  readonly uid: number;
  readonly gid: number;
  /** `process.kill`. */
  readonly kill: (pid: number, signal: NodeJS.Signals | 0) => true;
  /** Path of the Node that runs this. */
  readonly node: string;
  /** Writes log lines. */
  readonly writeLog: (line: string) => void;
  readonly logForm: LogForm;
}

export interface AppOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly host: HostProcess;
  readonly cwd: string;
  readonly home: string;
  /** Name of the user, which is recorded with requests. */
  readonly login: () => string;
  readonly configFile: string | null;
  /**
   * `run` drives the runs of a command. `read` only reads, and records executions that have ended in runs without an owner.
   * `serve` drives all runs, and takes ownership of runs whose owner has gone.
   */
  readonly mode: "run" | "read" | "serve";
}
