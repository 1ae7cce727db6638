/** Deny by default: a route that does not say it is open needs a bearer token, whose scope is looked at before its body. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Problem } from "../../kernel/index.ts";
import type { Services } from "../../services/index.ts";
import { type LoginAttempt, login } from "../http/login.ts";
import type { LoginLimit } from "../http/login-limit.ts";

export function authorize(app: FastifyInstance, operations: Services, logins: LoginLimit): void {
  app.decorateRequest("callerKey", "");
  app.decorateRequest("credential", "");
  app.decorateRequest("resourceId", undefined);
  app.addHook("onRequest", async (request) => {
    const access = request.routeOptions.config.access;
    if (request.is404 || access === "open") return;
    if (access === undefined)
      throw new Problem("internal", `The route ${request.routeOptions.url} names no access.`);
    if (access === "execution") {
      const { credential, found } = await login(attemptOf(request), logins, operations.executor);
      if (pathId(request) !== found.executionId)
        throw new Problem("not_found", "The token is not that of this execution.");
      request.callbacks = found;
      request.callerKey = found.executionId;
      request.credential = credential;
      return;
    }
    const { credential, found: caller } = await login(attemptOf(request), logins, operations.authenticate);
    await operations.allow(caller, access);
    request.client = operations.as(caller);
    request.callerKey = caller.tokenId ?? caller.name;
    request.credential = credential;
  });
}

function pathId({ params }: FastifyRequest): unknown {
  return typeof params === "object" && params !== null && "id" in params ? params.id : null;
}

function attemptOf({ headers, ip, id }: FastifyRequest): LoginAttempt {
  return { header: headers.authorization, ip, requestId: id };
}
