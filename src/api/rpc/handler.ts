/** All services as one handler of Node's requests. Loaded with the first RPC: who makes none does not pay for it. */
import {
  Code,
  ConnectError,
  createConnectRouter,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { type Clock, type Logger, Problem } from "../../kernel/index.ts";
import type { Services } from "../../services/index.ts";
import type { LoginLimit } from "../http/login-limit.ts";
import { artifactService } from "./artifacts.ts";
import { type Callers, createCallers, type Peer, peerOf, valuesOf } from "./callers.ts";
import { toConnectError } from "./errors.ts";
import { executorService } from "./executors.ts";
import { Health } from "./generated/health.ts";
import { ServerReflection } from "./generated/reflection.ts";
import { ArtifactService, ExecutorService, PipelineService, ProjectService } from "./generated/shipinator.ts";
import { healthService } from "./health.ts";
import { type AdmitStream, pipelineService } from "./pipelines.ts";
import { projectService } from "./projects.ts";
import { reflectionService } from "./reflection.ts";

export interface RpcDeps {
  readonly operations: Services;
  readonly logins: LoginLimit;
  readonly admit: AdmitStream;
  readonly ready: () => Promise<boolean>;
  /** Aborts when the server stops: streams end, and are told to come again. */
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
}

type NodeServerRequest = Parameters<typeof universalRequestFromNodeRequest>[0];
type NodeServerResponse = Parameters<typeof universalResponseToNodeResponse>[1];

export interface RpcHandler {
  /** True when there is a method at this path. */
  knows(path: string): boolean;
  /** Answers it, whatever comes of it. */
  handle(request: NodeServerRequest, response: NodeServerResponse, peer: Peer): Promise<void>;
}

/**
 * Bytes of one message, decompressed. Whoever has no token reaches health and reflection alone. Executors send logs and
 * artifacts in chunks.
 */
const messageBytes = { open: 4_096, request: 65_536, report: 1_048_576, chunk: 8 * 1_048_576 } as const;

export function createRpcHandler(deps: RpcDeps): RpcHandler {
  const { operations, admit, stopping, clock } = deps;
  const callers = createCallers(operations, deps.logins);
  const own = [PipelineService, ProjectService, ArtifactService, ExecutorService];
  const ending = new AbortController();
  stopping.addEventListener("abort", () =>
    ending.abort(new ConnectError("The server is stopping; come again.", Code.Unavailable)),
  );
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: messageBytes.request,
    requestGate: (context) => authenticate(context, deps, callers),
    // What is not known would be accepted and ignored.
    jsonOptions: { ignoreUnknownFields: false },
    shutdownSignal: ending.signal,
    interceptors: [untilDeadline, problemsAsErrors(deps)],
  });
  const services = new Set(own.map(({ typeName }) => typeName));
  const artifacts = artifactService(callers, admit);
  const executors = executorService(callers);
  const chunks = { readMaxBytes: messageBytes.chunk };
  const open = { readMaxBytes: messageBytes.open };
  router.service(PipelineService, pipelineService(callers, admit));
  router.service(ProjectService, projectService(callers));
  router.service(ArtifactService, artifacts);
  router.service(ExecutorService, executors, { readMaxBytes: messageBytes.report });
  // The handler that is added last answers a path.
  router.rpc(ArtifactService.method.uploadArtifact, artifacts.uploadArtifact, chunks);
  router.rpc(ExecutorService.method.appendLog, executors.appendLog, chunks);
  router.service(Health, healthService({ services, ready: deps.ready, clock }), open);
  router.service(ServerReflection, reflectionService([...own, Health, ServerReflection]), open);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    knows: (path) => handlers.has(path),
    async handle(request, response, peer) {
      const handler = handlers.get((request.url ?? "").split("?", 1)[0] ?? "");
      if (handler === undefined) throw new Problem("internal", `There is no method at ${request.url}.`);
      try {
        const asked = universalRequestFromNodeRequest(request, response, undefined, valuesOf(peer));
        await handler(asked).then((answer) => universalResponseToNodeResponse(answer, response));
      } catch (error) {
        // Mostly a caller who has gone; what failed in a service has been answered and told.
        deps.log.debug({ err: error, request_id: peer.requestId }, "a call was not answered to its end");
        response.destroy();
      }
    },
  };
}

/** Refuses a call without a valid token before its body is read, decompressed or parsed. */
async function authenticate(context: HandlerContext, { log }: RpcDeps, callers: Callers): Promise<void> {
  const { service, method } = context;
  if (service === Health || service === ServerReflection) return;
  const ofExecution = service === ExecutorService || method === ArtifactService.method.uploadArtifact;
  try {
    await callers.authenticate(context, ofExecution ? "executor" : "caller");
  } catch (error) {
    const { requestId } = peerOf(context);
    if (Problem.from(error).code === "internal")
      log.error({ err: error, request_id: requestId, rpc: context.url }, "a call failed inside the server");
    throw toConnectError(error, requestId);
  }
}

/** A caller whose time is over, or who has gone, is not kept waiting by work that cannot be cut short. */
const untilDeadline: Interceptor = (next) => async (request) => {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const abort = () => reject(request.signal.reason);
  if (request.signal.aborted) abort();
  request.signal.addEventListener("abort", abort, { once: true });
  over.catch(() => undefined);
  try {
    return await Promise.race([next(request), over]);
  } finally {
    request.signal.removeEventListener("abort", abort);
  }
};

function problemsAsErrors({ log }: RpcDeps): Interceptor {
  return (next) => async (request) => {
    const { requestId } = peerOf({ values: request.contextValues });
    const translate = (error: unknown) => {
      const problem = error instanceof ConnectError ? null : Problem.from(error);
      if (problem?.code === "internal" && !request.signal.aborted)
        log.error({ err: error, request_id: requestId, rpc: request.url }, "a call failed inside the server");
      // What an aborted signal made fail has its reason there.
      if (request.signal.aborted && request.signal.reason instanceof ConnectError)
        return request.signal.reason;
      return toConnectError(error, requestId);
    };
    try {
      const response = await next(request);
      return response.stream
        ? { ...response, message: translated(response.message, request.signal, translate) }
        : response;
    } catch (error) {
      throw translate(error);
    }
  };
}

/** Ends a stream whose signal aborts with the reason, where its source ends quietly. */
async function* translated<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  translate: (error: unknown) => Error,
): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    throw translate(error);
  }
  if (signal.aborted) throw translate(signal.reason);
}
