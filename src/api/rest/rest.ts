/** The REST interface on a Fastify that the caller has made. */
import { validatorCompiler } from "fastify-type-provider-zod";
import type { Operations } from "../../operations/index.ts";
import { authorize } from "./authorization.ts";
import type { App, RouteContext } from "./context.ts";
import { keepAnswers } from "./idempotency.ts";
import { sendError, sendNotFound } from "./problems.ts";
import { accessRoutes } from "./routes/access.ts";
import { artifactRoutes } from "./routes/artifacts.ts";
import { eventRoutes } from "./routes/events.ts";
import { logRoutes } from "./routes/logs.ts";
import { pipelineRoutes } from "./routes/pipelines.ts";
import { projectRoutes } from "./routes/projects.ts";
import { repositoryRoutes } from "./routes/repositories.ts";
import { runRoutes } from "./routes/runs.ts";
import { systemRoutes } from "./routes/system.ts";

/** What answers look like is proven by tests over every route; a server spends no time on proving it again. */
const toText = () => (data: unknown) => JSON.stringify(data);

export function addRest(app: App, operations: Operations, context: RouteContext): void {
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(toText);
  app.setErrorHandler(sendError);
  app.setNotFoundHandler(sendNotFound);
  app.addHook("onSend", async (request, reply) => {
    reply.header("x-request-id", request.id);
  });
  authorize(app, operations);
  keepAnswers(app, operations);
  addRoutes(app, context);
}

export function addRoutes(app: App, context: RouteContext): void {
  systemRoutes(app, context);
  projectRoutes(app);
  repositoryRoutes(app);
  pipelineRoutes(app);
  runRoutes(app);
  eventRoutes(app, context);
  logRoutes(app, context);
  artifactRoutes(app);
  accessRoutes(app);
}
