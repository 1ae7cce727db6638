/** Deny by default: a route that does not say it is open needs a bearer token, whose scope is looked at before its body. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { errorCode, Problem } from "../../kernel/index.ts";
import type { Operations } from "../../operations/index.ts";
import type { LoginLimit } from "../login-limit.ts";

export function authorize(app: FastifyInstance, operations: Operations, logins: LoginLimit): void {
  app.decorateRequest("callerKey", "");
  app.decorateRequest("credential", "");
  app.decorateRequest("resourceId", undefined);
  app.addHook("onRequest", async (request) => {
    const access = request.routeOptions.config.access;
    if (request.is404 || access === "open") return;
    if (access === undefined)
      throw new Problem("internal", `the route ${request.routeOptions.url} names no access`);
    if (access === "execution") {
      const { credential, found } = await login(request, operations.executor);
      if (pathId(request) !== found.executionId)
        throw new Problem("not_found", "the token is not that of this execution");
      request.callbacks = found;
      request.callerKey = found.executionId;
      request.credential = credential;
      return;
    }
    const { credential, found: caller } = await login(request, operations.authenticate);
    await operations.allow(caller, access);
    request.client = operations.as(caller);
    request.callerKey = caller.tokenId ?? caller.name;
    request.credential = credential;
  });

  /** Looked at first, and the limit after it, so that nobody is locked out by what others behind his address do. */
  async function login<Found>(
    request: FastifyRequest,
    find: (token: string, requestId: string) => Promise<Found>,
  ): Promise<{ readonly credential: string; readonly found: Found }> {
    try {
      const credential = bearer(request);
      return { credential, found: await find(credential, request.id) };
    } catch (error) {
      if (errorCode(error) !== "unauthorized") throw error;
      const wait = logins.failed(request.ip);
      if (wait === null) throw error;
      throw new Problem("too_many_requests", "too many requests from this address had no valid token", {
        remedy: `Wait ${wait} s, then send a token that is neither expired nor revoked.`,
        details: { retry_after: wait },
      });
    }
  }
}

function pathId({ params }: FastifyRequest): unknown {
  return typeof params === "object" && params !== null && "id" in params ? params.id : null;
}

function bearer(request: FastifyRequest): string {
  const header = request.headers.authorization;
  const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(header ?? "")?.[1];
  if (token !== undefined) return token;
  throw new Problem(
    "unauthorized",
    header === undefined ? "no token was sent" : "the Authorization header holds no bearer token",
    {
      remedy: "Send the header Authorization: Bearer TOKEN.",
    },
  );
}
