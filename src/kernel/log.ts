/**
 * Structured logs. Only this file imports Pino; all other code uses `Logger`. Field names are those of the database. The
 * first `createLogger` loads Pino, so commands that log nothing (`--version`, `validate`) do not pay for it.
 */
import { createRequire } from "node:module";
import type { DestinationStream, Logger as PinoLogger } from "pino";
import { errorCode } from "./problem.ts";

export type Logger = Pick<PinoLogger, "trace" | "debug" | "info" | "warn" | "error" | "fatal"> & {
  child(fields: LogFields): Logger;
};

export interface LogFields {
  readonly pipeline_run_id?: string;
  readonly job_id?: string;
  readonly job_step_id?: string;
  readonly execution_id?: string;
  readonly stage_type?: string;
  readonly instance_id?: string;
  readonly component?: string;
  readonly request_id?: string;
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

const requireNow = createRequire(import.meta.url);

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly destination?: DestinationStream;
  /** `json` (the default) writes one object per line for programs; the others write text for people. */
  readonly form?: LogForm;
}

export type LogForm = "json" | "colored" | "plain";

export function createLogger(options: LoggerOptions): Logger {
  const { pino }: typeof import("pino") = requireNow("pino");
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: serializeError },
  };
  const { destination, form = "json" } = options;
  if (destination === undefined) return pino(settings);
  return pino(settings, form === "json" ? destination : prettyDestination(destination, form));
}

/** Formats each record for people: time, level and message, then the fields. */
function prettyDestination(destination: DestinationStream, form: "colored" | "plain"): DestinationStream {
  const { prettyFactory }: typeof import("pino-pretty") = requireNow("pino-pretty");
  const pretty = prettyFactory({
    colorize: form === "colored",
    translateTime: "SYS:HH:MM:ss",
    singleLine: true,
    errorLikeObjectKeys: ["err"],
  });
  return { write: (line) => destination.write(pretty(line.replaceAll(controls, "\ufffd"))) };
}

/** Control characters in JSON text, raw and escaped, except line ends and tabs. Logged input must not control a terminal. */
const controls = /\\u00(?:[01][0-9a-f]|7f)|[\x7f-\x9f]/g;

/**
 * Selects the fields of an error that are logged. Properties that libraries attach, such as a database client with its
 * settings, are left out. The stack is safe to log, because it holds no data.
 */
export function serializeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = errorCode(error);
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}

const discard = (): void => {};

/** A logger that discards every record. */
export const silentLogger: Logger = {
  trace: discard,
  debug: discard,
  info: discard,
  warn: discard,
  error: discard,
  fatal: discard,
  child: () => silentLogger,
};
