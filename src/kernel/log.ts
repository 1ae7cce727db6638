/** Structured logs. Pino has its home here; everybody else sees `Logger`. Field names are the database's. */
import { type DestinationStream, type Logger as PinoLogger, pino } from "pino";

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
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export function createLogger(options: { level: LogLevel; destination?: DestinationStream }): Logger {
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

/** A logger that says nothing. */
export const silentLogger: Logger = pino({ level: "silent" });
