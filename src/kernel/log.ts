/**
 * Structured logs. Pino has its home here; everybody else sees `Logger`. Field names are the database's. Pino is loaded
 * by the first `createLogger`, so that commands that log nothing (`--version`, `validate`) do not pay for it.
 */
import { createRequire } from "node:module";
import type { DestinationStream, Logger as PinoLogger } from "pino";

export type Logger = Pick<PinoLogger, "trace" | "debug" | "info" | "warn" | "error" | "fatal"> & {
  child(fields: LogFields): Logger;
};

export interface LogFields {
  readonly pipeline_run_id?: string;
  readonly job_id?: string;
  readonly job_step_id?: string;
  readonly execution_id?: string;
  readonly stage_type?: string;
  readonly node_id?: string;
  readonly component?: string;
  readonly request_id?: string;
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

const load = createRequire(import.meta.url);

export function createLogger(options: { level: LogLevel; destination?: DestinationStream }): Logger {
  const { pino }: typeof import("pino") = load("pino");
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

const nothing = (): void => {};

/** A logger that says nothing. */
export const silentLogger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => silentLogger,
};
