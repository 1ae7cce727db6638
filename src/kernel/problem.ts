/**
 * The table of problems and the error class. A message is a sentence that states the fact and, where it matters, the
 * danger; the remedy is a sentence of its own. `code` is for programs. Unknown errors become `internal`.
 */

/** code → [HTTP status, CLI exit code, title]. Exit codes: 1 run failed, 2 usage or config, 3 environment. */
export const problems = {
  usage: [400, 2, "The command or request is invalid"],
  config_invalid: [422, 2, "A configuration is invalid"],
  server_config_invalid: [500, 2, "The server's configuration is invalid"],
  range_not_satisfiable: [416, 2, "The range is outside of the content"],
  payload_too_large: [413, 2, "The request is too large"],
  unsupported_media_type: [415, 2, "The content type is not supported"],
  idempotency_mismatch: [422, 2, "The idempotency key belongs to another request"],
  uri_too_long: [414, 2, "The request's address is too long"],
  headers_too_large: [431, 2, "The request's header lines are too large"],
  request_timeout: [408, 2, "The request timed out"],
  too_many_requests: [429, 2, "Too many requests"],
  unavailable: [503, 3, "The server is stopping"],
  not_found: [404, 2, "Not found"],
  method_not_allowed: [405, 2, "The path does not support this method"],
  ref_not_found: [422, 2, "The ref does not exist"],
  source_refused: [422, 2, "The repository address or ref is not allowed"],
  source_unavailable: [503, 3, "The repository cannot be reached or read"],
  conflict: [409, 2, "The request conflicts with the recorded state"],
  unauthorized: [401, 2, "A valid token is required"],
  forbidden: [403, 2, "The token does not allow this"],
  gone: [410, 2, "The resource no longer exists"],
  artifact_missing: [404, 1, "The artifact is missing"],
  artifact_corrupt: [500, 1, "The artifact's bytes do not match its digest"],
  storage_failed: [507, 3, "The storage cannot be read or written"],
  database_unavailable: [503, 3, "The database cannot be reached"],
  database_newer: [500, 3, "The database is newer than this program"],
  data_dir_unusable: [500, 3, "The data directory cannot be used"],
  environment: [500, 3, "This machine does not meet a requirement"],
  executor_failed: [500, 3, "The executor failed"],
  internal: [500, 3, "Internal error"],
} as const satisfies Record<string, readonly [number, number, string]>;

export type ProblemCode = keyof typeof problems;

export interface ProblemOptions {
  /** The action to take, as an imperative sentence. */
  readonly remedy?: string;
  /** The location: a file, line, field or variable. */
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

  /** Turns any thrown value into a problem. A problem stays as it is; everything else becomes `internal`. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    return new Problem("internal", errorMessage(error), { cause: error });
  }
}

/** The message of any thrown value. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node or Postgres error (`ENOENT`, `23505`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
