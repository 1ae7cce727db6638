/** Deny by default: a route that does not say it is open needs a bearer token, whose scope is looked at before its body. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Problem } from "../../kernel/index.ts";
import type { Operations } from "../../operations/index.ts";

export function authorize(app: FastifyInstance, operations: Operations): void {
  app.decorateRequest("callerKey", "");
  app.decorateRequest("credential", "");
  app.decorateRequest("resourceId", undefined);
  app.addHook("onRequest", async (request) => {
    const access = request.routeOptions.config.access;
    if (request.is404 || access === "open") return;
    if (access === undefined)
      throw new Problem("internal", `the route ${request.routeOptions.url} names no access`);
    const credential = bearer(request);
    const caller = await operations.authenticate(credential, request.id);
    await operations.allow(caller, access);
    request.client = operations.as(caller);
    request.callerKey = caller.tokenId ?? caller.name;
    request.credential = credential;
  });
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
