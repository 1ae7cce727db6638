/** Sorts what `pg` throws: the connection's fault, the database's disk, or the statement's own error. */
import pg from "pg";
import { errorCode, errorMessage, Problem } from "../../kernel/index.ts";
import type { ConnectionSettings } from "./connection-settings.ts";

/** SQLSTATEs with which Postgres ends or refuses the session itself. Class 08 and 28 are whole. */
const sessionStates = new Set(["57P01", "57P02", "57P03", "57P04", "57P05", "53300", "25P03", "3D000"]);
const DISK_FULL = "53100";
const NO_TEXT = "22021";

/** `pg` throws these without a code when the socket is gone or silent. */
const lostMessages =
  /^(Connection terminated|Query read timeout|timeout e|Client (was closed|has encountered)|The server does not support SSL|There was an error establishing an SSL)/;

/** True when Postgres refused one statement and the session itself is sound. */
export function isStatementError(error: unknown): boolean {
  return error instanceof pg.DatabaseError && !isSessionError(error);
}

/** True when the connection is lost or was never made. */
export function isSessionError(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    const state = error.code ?? "";
    return (
      sessionStates.has(state) ||
      state.startsWith("08") ||
      state.startsWith("28") ||
      error.severity === "FATAL"
    );
  }
  const code = errorCode(error) ?? "";
  return (
    /^(E[A-Z]+|EAI_[A-Z]+|(UN|DE|SELF|CERT|ERR_TLS|ERR_SSL)[A-Z_]*)$/.test(code) ||
    lostMessages.test(errorMessage(error))
  );
}

/** A Problem where a person can do something about it, else the error as it came. */
export function translateError(error: unknown, settings: ConnectionSettings): unknown {
  if (error instanceof Problem) return error;
  if (isSessionError(error)) {
    return new Problem(
      "database_unavailable",
      `Postgres at ${where(settings)} cannot be used: ${reason(error)}.`,
      {
        remedy: remedy(error, settings),
        cause: error,
      },
    );
  }
  if (errorCode(error) === DISK_FULL) {
    return new Problem("storage_failed", `The disk of the database is full: ${errorMessage(error)}.`, {
      remedy: "Free space on the disk that holds the database; nothing of the refused change was kept.",
      cause: error,
    });
  }
  if (errorCode(error) === NO_TEXT) {
    return new Problem("usage", "A text holds a NUL character, which cannot be stored or looked for.", {
      remedy: "Remove the character.",
      cause: error,
    });
  }
  return error;
}

export function where(settings: ConnectionSettings): string {
  return settings.host.startsWith("/") ? settings.host : `${settings.host}:${settings.port}`;
}

function reason(error: unknown): string {
  // A name with several addresses fails with one error for each and no message of its own.
  const causes =
    error instanceof AggregateError ? error.errors.map(errorMessage).join("; ") : errorMessage(error);
  return causes.replace(/\.$/, "");
}

function remedy(error: unknown, settings: ConnectionSettings): string {
  const code = errorCode(error) ?? "";
  if (code.startsWith("28")) return "Check SHIPINATOR_DB_USER and SHIPINATOR_DB_PASSWORD.";
  if (code === "3D000")
    return `Create the database "${settings.database}", or name another in SHIPINATOR_DB_NAME.`;
  if (code === "53300") return "Raise max_connections of the server, or close other clients.";
  if (settings.sslMode !== "disable" && /SSL|CERT|SELF|TLS/i.test(`${code} ${errorMessage(error)}`)) {
    return "Check SHIPINATOR_DB_SSL_MODE and the server's certificate.";
  }
  return settings.host.startsWith("/")
    ? "Try again; if it stays away, its log in the data directory says why."
    : "Check that the server runs and that SHIPINATOR_DB_HOST and SHIPINATOR_DB_PORT are right.";
}
