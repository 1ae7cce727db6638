/** The REST interface on a Fastify that the caller has made. */
import { validatorCompiler } from "fastify-type-provider-zod";
import { Problem } from "../../kernel/index.ts";
import type { Services } from "../../services/index.ts";
import { collectMethods } from "./allowed-methods.ts";
import { authorize } from "./authorization.ts";
import type { App, RestContext, RouteContext } from "./context.ts";
import { keepAnswers } from "./idempotency.ts";
import { sendError, sendNotFound } from "./problems.ts";
import { accessRoutes } from "./routes/access.ts";
import { artifactRoutes } from "./routes/artifacts.ts";
import { callbackRoutes } from "./routes/callbacks.ts";
import { docsRoutes } from "./routes/docs.ts";
import { eventRoutes } from "./routes/events.ts";
import { frontRoutes } from "./routes/front.ts";
import { logRoutes } from "./routes/logs.ts";
import { pipelineRoutes } from "./routes/pipelines.ts";
import { projectRoutes } from "./routes/projects.ts";
import { registryRoutes } from "./routes/registries.ts";
import { repositoryRoutes } from "./routes/repositories.ts";
import { runRoutes } from "./routes/runs.ts";
import { secretRoutes } from "./routes/secrets.ts";
import { systemRoutes } from "./routes/system.ts";

/** Tests over every route prove the form of the answers; a server spends no time on proving it again. */
const toText = () => (data: unknown) => JSON.stringify(data);

/** Milliseconds in which a client takes nothing of its answer. */
const stalledMs = 60_000;

const maxHeaders = 128;

export function addRest(app: App, operations: Services, context: RestContext): void {
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(toText);
  app.setErrorHandler(sendError);
  const notFound = sendNotFound(collectMethods(app));
  app.setNotFoundHandler(notFound);
  // Fastify reads text/plain by itself; every body here is JSON or says otherwise in its route.
  app.removeContentTypeParser("text/plain");
  app.addHook("onRequest", async ({ raw }) => {
    // Node takes both, and counts no more than the letters of each header line.
    if (raw.httpVersionMajor < 1)
      throw new Problem("usage", "The request is of a version before HTTP/1.0.", {
        remedy: "Speak HTTP/1.1.",
      });
    if (raw.rawHeaders.length > 2 * maxHeaders)
      throw new Problem("headers_too_large", `The request has more than ${maxHeaders} header lines.`);
    // RFC 9112 §3.2. Node takes the first, a proxy before it may take the last.
    if (raw.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host").length > 1)
      throw new Problem("usage", "The request has more than one Host line.", { remedy: "Send one." });
  });
  // Before Fastify looks for a body, which it demands of QUERY.
  app.addHook("onRequest", async (request, reply) =>
    request.is404 ? await notFound(request, reply) : undefined,
  );
  app.addHook("onRequest", async ({ raw, routeOptions }) => {
    if (routeOptions.config.body === "stream") context.liftDeadline(raw);
  });
  app.addHook("onSend", async (request, reply) => {
    reply.header("x-request-id", request.id);
    // The next request is to go to another server, or to this one's successor.
    if (context.stopping.aborted && request.raw.httpVersionMajor === 1) reply.header("connection", "close");
    // A client that takes nothing holds memory, and a payload's file: it is let go. Asked of the socket, which sees what
    // is taken; afterwards Node sets the time that an idle connection may stay.
    reply.raw.setTimeout(stalledMs, () => reply.raw.destroy());
  });
  authorize(app, operations, context.logins);
  keepAnswers(app, operations);
  addRoutes(app, context);
}

export function addRoutes(app: App, context: RouteContext): void {
  systemRoutes(app, context);
  docsRoutes(app);
  frontRoutes(app, context.version);
  projectRoutes(app);
  repositoryRoutes(app);
  pipelineRoutes(app);
  runRoutes(app);
  eventRoutes(app, context);
  logRoutes(app, context);
  artifactRoutes(app);
  accessRoutes(app);
  secretRoutes(app);
  registryRoutes(app);
  callbackRoutes(app);
}
