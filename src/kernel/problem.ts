/**
 * One table of problems and one error class. A problem states the fact, the danger (what would happen, or what was
 * prevented) and the remedy, in words for a person; `code` is for programs. Unknown errors become `internal`.
 */

/** code → [HTTP status, CLI exit code, title]. Exit codes: 1 run failed, 2 usage or config, 3 environment. */
export const problems = {
  usage: [400, 2, "The command or request is not understood"],
  config_invalid: [422, 2, "A configuration is not valid"],
  server_config_invalid: [500, 2, "The server's configuration is not valid"],
  range_not_satisfiable: [416, 2, "The range lies outside"],
  payload_too_large: [413, 2, "The request is too large"],
  unsupported_media_type: [415, 2, "The request's form is not understood"],
  idempotency_mismatch: [422, 2, "The key was used for another request"],
  uri_too_long: [414, 2, "The request's address is too long"],
  headers_too_large: [431, 2, "The request's header lines are too large"],
  request_timeout: [408, 2, "The request did not come in time"],
  too_many_requests: [429, 2, "Too much at once"],
  unavailable: [503, 3, "The server is stopping"],
  not_found: [404, 2, "Not found"],
  method_not_allowed: [405, 2, "The method is not one of this path"],
  ref_not_found: [422, 2, "The ref does not exist"],
  source_refused: [422, 2, "The repository address or ref is refused"],
  source_unavailable: [503, 3, "The repository cannot be reached or read"],
  conflict: [409, 2, "The request contradicts what is recorded"],
  unauthorized: [401, 2, "A valid token is needed"],
  forbidden: [403, 2, "The token does not allow this"],
  gone: [410, 2, "It was here and is gone"],
  artifact_missing: [404, 1, "The artifact is missing"],
  artifact_corrupt: [500, 1, "The artifact's bytes do not match its digest"],
  storage_failed: [507, 3, "The storage refused to keep or give bytes"],
  database_unavailable: [503, 3, "The database cannot be reached"],
  database_newer: [500, 3, "The database is newer than this program"],
  data_dir_unusable: [500, 3, "The data directory cannot be used"],
  environment: [500, 3, "Something this machine needs is missing"],
  executor_failed: [500, 3, "The executor could not do what was asked"],
  internal: [500, 3, "An error inside Shipinator"],
} as const satisfies Record<string, readonly [number, number, string]>;

export type ProblemCode = keyof typeof problems;

export interface ProblemOptions {
  /** What to do about it, as one sentence. */
  readonly remedy?: string;
  /** The place: a file, a line, a field, a variable. */
  readonly place?: string;
  readonly cause?: unknown;
  /** Machine-readable details for `-o json` and RFC 9457 extensions. */
  readonly details?: unknown;
}

export class Problem extends Error {
  readonly code: ProblemCode;
  readonly remedy: string | undefined;
  readonly place: string | undefined;
  readonly details: unknown;

  constructor(code: ProblemCode, message: string, options: ProblemOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Problem";
    this.code = code;
    this.remedy = options.remedy;
    this.place = options.place;
    this.details = options.details;
  }

  get status(): number {
    return problems[this.code][0];
  }

  get exitCode(): number {
    return problems[this.code][1];
  }

  /** Turns anything thrown into a problem; what is already one passes through, the rest becomes `internal`. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    return new Problem("internal", errorMessage(error), { cause: error });
  }
}

/** The message of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node or Postgres error (`ENOENT`, `23505`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
