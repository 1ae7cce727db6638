/** The configuration of every connection: timeouts, types, encryption. `PG*` variables have no effect. */
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import type { ConnectionSettings } from "./connection-settings.ts";

const CONNECT_MS = 10_000;
const STATEMENT_MS = 30_000;
const IDLE_IN_TRANSACTION_MS = 60_000;
/** The client gives up this much later than the server, whose error says more. */
const ANSWER_SLACK_MS = 5_000;

export interface ClientOptions {
  readonly applicationName: string;
  /** Longest duration of a statement in milliseconds; 0 is no limit. */
  readonly statementTimeoutMs?: number;
}

export function clientConfig(settings: ConnectionSettings, options: ClientOptions): pg.ClientConfig {
  const statementMs = options.statementTimeoutMs ?? STATEMENT_MS;
  return {
    host: settings.host,
    port: settings.port,
    user: settings.user,
    // A function is asked at each connection, and an empty password does not send pg looking for ~/.pgpass.
    password: () => settings.password,
    database: settings.database,
    ssl: encryption(settings),
    sslnegotiation: "postgres",
    client_encoding: "UTF8",
    application_name: options.applicationName,
    options: "-c search_path=public -c timezone=UTC -c client_min_messages=warning",
    connectionTimeoutMillis: CONNECT_MS,
    // The server's own timeout does not fire on a link that swallows packets, so the client has one too.
    statement_timeout: statementMs === 0 ? false : statementMs,
    ...(statementMs === 0 ? {} : { query_timeout: statementMs + ANSWER_SLACK_MS }),
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    pipeline: true,
    types: { getTypeParser },
  };
}

function encryption(settings: ConnectionSettings): false | ConnectionOptions {
  switch (settings.sslMode) {
    case "disable":
      return false;
    case "require":
      return { rejectUnauthorized: false };
    case "verify-full":
      return settings.sslRootCertificate === undefined
        ? { rejectUnauthorized: true }
        : { rejectUnauthorized: true, ca: settings.sslRootCertificate };
  }
}

const INT8 = 20;
const INT8_ARRAY = 1016;
const DATE = 1082;
const TIMESTAMP = 1114;

const parsers = new Map<number, (text: string) => unknown>([
  [INT8, safeInteger],
  [INT8_ARRAY, safeIntegers],
  [DATE, (text) => text],
  // Without a zone it means a different instant on each machine; nobody should get a Date out of that.
  [TIMESTAMP, (text) => text],
]);

function getTypeParser(oid: number, format?: "text" | "binary") {
  const own = format === "binary" ? undefined : parsers.get(oid);
  return own ?? pg.types.getTypeParser(oid, format);
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`the int8 value ${text} does not fit a number exactly`);
  return value;
}

function safeIntegers(text: string): (number | null)[] {
  const inner = text.slice(1, -1);
  if (inner === "") return [];
  return inner.split(",").map((item) => (item === "NULL" ? null : safeInteger(item)));
}
