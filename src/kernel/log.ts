/**
 * Structured logs. Pino has its home here; everybody else sees `Logger`. Field names are the database's. Pino is loaded
 * by the first `createLogger`, so that commands that log nothing (`--version`, `validate`) do not pay for it.
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
  readonly node_id?: string;
  readonly component?: string;
  readonly request_id?: string;
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

const load = createRequire(import.meta.url);

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly destination?: DestinationStream;
  /** `json` (the default): an object a line, for programs. For people on a terminal, in colors or without. */
  readonly form?: LogForm;
}

export type LogForm = "json" | "colored" | "plain";

export function createLogger(options: LoggerOptions): Logger {
  const { pino }: typeof import("pino") = load("pino");
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: shownError },
  };
  const { destination, form = "json" } = options;
  if (destination === undefined) return pino(settings);
  return pino(settings, form === "json" ? destination : readable(destination, form));
}

/** A line for a person: time, level and sentence first, then what it is about. */
function readable(destination: DestinationStream, form: "colored" | "plain"): DestinationStream {
  const { prettyFactory }: typeof import("pino-pretty") = load("pino-pretty");
  const pretty = prettyFactory({
    colorize: form === "colored",
    translateTime: "SYS:HH:MM:ss",
    singleLine: true,
    errorLikeObjectKeys: ["err"],
  });
  return { write: (line) => destination.write(pretty(line.replaceAll(controls, "\ufffd"))) };
}

/** Of a JSON text, as they are and escaped, but for line ends and tabs: what somebody sent does not drive the terminal. */
const controls = /\\u00(?:[01][0-9a-f]|7f)|[\x7f-\x9f]/g;

/**
 * What of an error is written down: never what libraries hang on it, a database client with its settings among it.
 * The stack is for whoever debugs it, and says nothing of the data.
 */
export function shownError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = errorCode(error);
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined ? {} : { cause: shownError(error.cause) }),
  };
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
