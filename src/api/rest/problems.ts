/** Every error as an RFC 9457 problem: the fact, the remedy, a code for programs, and the request's id to ask about. */
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { errorCode, errorMessage, Problem, type ProblemCode, problems } from "../../kernel/index.ts";

const contentType = "application/problem+json; charset=utf-8";

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly remedy?: string;
  readonly place?: string;
  readonly details?: unknown;
  readonly instance: string;
  readonly request_id: string;
}

export function problemDocument(problem: Problem, request: FastifyRequest): ProblemDocument {
  const { code, status, remedy, place, details } = problem;
  const [, , title] = problems[code];
  // What nobody foresaw may hold anything: it stands in the server's log, under the request's id.
  const detail =
    code === "internal" ? "The server failed. Its log has more under the request's id." : problem.message;
  return {
    type: `urn:shipinator:problem:${code}`,
    title,
    status,
    detail,
    code,
    ...(remedy === undefined ? {} : { remedy }),
    ...(place === undefined ? {} : { place }),
    ...(details === undefined || code === "internal" ? {} : { details }),
    instance: request.url.split("?", 1)[0] ?? "/",
    request_id: request.id,
  };
}

export async function sendError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const problem = problemOf(error);
  if (problem.code === "internal") request.log.error({ err: error }, "a request failed inside the server");
  if (problem.code === "unauthorized") reply.header("www-authenticate", 'Bearer realm="shipinator"');
  if (problem.status === 503 || problem.status === 429) reply.header("retry-after", waitOf(problem));
  // What was said of a payload does not hold for the problem that comes in its place.
  for (const header of ofPayload) reply.removeHeader(header);
  if (problem.code === "range_not_satisfiable") reply.header("content-range", `bytes */${sizeOf(problem)}`);
  return await reply.status(problem.status).type(contentType).send(problemDocument(problem, request));
}

const ofPayload = ["etag", "repr-digest", "content-disposition", "content-length", "content-range"] as const;

function sizeOf({ details }: Problem): number | "*" {
  return typeof details === "object" && details !== null && "size" in details ? Number(details.size) : "*";
}

/** Seconds, as the problem knows them. */
function waitOf({ details }: Problem): string {
  const known = typeof details === "object" && details !== null && "retry_after" in details;
  return known ? String(details.retry_after) : "5";
}

/** Also for a path that is there, and takes other methods. */
export function sendNotFound(methodsOf: (path: string) => readonly string[]) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split("?", 1)[0] ?? "/";
    const allowed = methodsOf(path);
    const problem =
      allowed.length === 0
        ? new Problem("not_found", `There is nothing at ${request.method} ${path}.`, {
            remedy: "The routes stand in /openapi.json.",
          })
        : new Problem("method_not_allowed", `${path} does not take ${request.method}.`, {
            remedy: `It takes ${allowed.join(", ")}.`,
          });
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    return await reply.status(problem.status).type(contentType).send(problemDocument(problem, request));
  };
}

/** Refusals of Fastify itself, in our words. */
const refusals: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ["payload_too_large", "The request's body is too large."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["unsupported_media_type", "The request's body must be application/json."],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["usage", "The request's body is empty, and its Content-Type is JSON."],
  FST_ERR_CTP_INVALID_JSON_BODY: ["usage", "The request's body is no JSON."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["usage", "The request's body is not as long as its Content-Length."],
  FST_ERR_MAX_PARAM_LENGTH: ["uri_too_long", "A name in the request's path is too long."],
  FST_ERR_BAD_URL: ["usage", "The request's path is badly escaped."],
};

function problemOf(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return invalid(error);
  const known = refusals[errorCode(error) ?? ""];
  if (known !== undefined) return new Problem(known[0], known[1]);
  if (error.statusCode === 400)
    return new Problem("usage", `The request is not understood: ${errorMessage(error)}`);
  return Problem.from(error);
}

function invalid(
  error: FastifyError & { readonly validation?: unknown; readonly validationContext?: string },
): Problem {
  const where = error.validationContext ?? "body";
  const list = Array.isArray(error.validation) ? error.validation : [];
  const details = list.map((one: { readonly instancePath?: string; readonly message?: string }) => ({
    place: `${where}${(one.instancePath ?? "").replaceAll("/", ".")}`.replace(/\.$/, ""),
    message: one.message ?? "is not valid",
  }));
  const said = details.map(({ place, message }) => `${place}: ${message}`).join("; ");
  return new Problem("usage", said === "" ? "The request is not valid." : said, {
    ...(details[0] === undefined ? {} : { place: details[0].place }),
    details,
  });
}
