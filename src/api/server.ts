/** The API as one service: routes on a listening server, and its orderly end. */
import type { AddressInfo } from "node:net";
import Fastify, { type FastifyBaseLogger, LogController } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import {
  type Clock,
  errorCode,
  errorMessage,
  type Logger,
  newId,
  Problem,
  type RunId,
} from "../kernel/index.ts";
import type { Services } from "../services/index.ts";
import { createListener, type Listener, type TlsFiles } from "./http/listener.ts";
import { type LocalSocket, listenOnSocket } from "./http/local-socket.ts";
import { createLoginLimit, type LoginLimits } from "./http/login-limit.ts";
import type { Metrics } from "./http/metrics.ts";
import type { PlaceLimits } from "./http/places.ts";
import { refuseConnection } from "./http/refusals.ts";
import type { App } from "./rest/context.ts";
import { createEventStreams } from "./rest/event-streams.ts";
import { sendError } from "./rest/problems.ts";
import { addRest } from "./rest/rest.ts";
import { mountRpc } from "./rpc/mount.ts";

export interface ApiOptions {
  readonly address: { readonly host: string; readonly port: number };
  /** Called with the URL as soon as the server listens, before it answers any request. */
  readonly onListening?: (url: string) => void;
  readonly tls: TlsFiles | null;
  /** Path of a Unix socket that serves the same without TLS; null: none. */
  readonly socket?: string | null;
  /** A proxy stands before it: who asks is told by the last entry of `X-Forwarded-For`, which is the proxy's. */
  readonly proxy?: boolean;
  readonly operations: Services;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly streams?: PlaceLimits;
  readonly logins?: LoginLimits;
}

/**
 * Life: listening when `startApi` resolves; `stop` is idempotent: not ready, streams are told to come again, requests
 * that are under way get ten seconds, then every connection is closed.
 */
export interface Api extends AsyncDisposable {
  /** With the port that was given out where 0 was asked for. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Milliseconds that requests under way have at the end; those of which only a part has come have less. */
const drainMs = 10_000;
const arrivingMs = 500;
const maxBodyBytes = 1_048_576;
const defaultStreams: PlaceLimits = { perCaller: 256, inAll: 2_000 };

const defaultLogins: LoginLimits = { atOnce: 30, perSecond: 1 };

/** @throws Problem server_config_invalid (TLS files), environment (the address cannot be listened on) */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { operations, version, clock, log } = options;
  const stopping = new AbortController();
  const streams = createEventStreams(clock, stopping.signal, options.streams ?? defaultStreams);
  const listeners: Listener[] = [];
  let scheme = "http";
  const app: App = Fastify({
    loggerInstance: requestLogger(log),
    logController: new LogController({ disableRequestLogging: true }),
    clientErrorHandler: refuseConnection,
    // While requests are drained, those that still come are answered; `stopping` tells each to go elsewhere.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
    bodyLimit: maxBodyBytes,
    genReqId: ({ headers }) => requestId(headers["x-request-id"]),
    requestIdHeader: false,
    // One hop, whatever its address is. A number would not do: Fastify trusts nobody by it.
    trustProxy: options.proxy === true ? (_address, hop) => hop === 0 : false,
    routerOptions: { maxParamLength: 1024 },
    serverFactory(handler) {
      const listener = createListener(options.tls, handler, log);
      scheme = listener.scheme;
      listeners.push(listener);
      if (options.socket) listeners.push(createListener(null, handler, log));
      return listener.server;
    },
  }).withTypeProvider<ZodTypeProvider>();
  // Loaded when first scraped: whoever is not watched does not pay for it, and is counted from then on.
  let observed: Metrics | undefined;
  let loading: Promise<Metrics> | undefined;
  function metrics(): Promise<Metrics> {
    loading ??= import("./http/metrics.ts").then(async ({ createMetrics }) => {
      observed = createMetrics(operations.watch, () => streams.count);
      await operations.watch.onRecorded(observed.recorded);
      return observed;
    });
    return loading;
  }

  const logins = createLoginLimit(clock, options.logins ?? defaultLogins);
  const liftDeadline: Listener["liftDeadline"] = (request) => {
    for (const listener of listeners) listener.liftDeadline(request);
  };
  mountRpc(app, {
    operations,
    logins,
    admit: (caller) => streams.admit(caller),
    ready: async () => !stopping.signal.aborted && (await operations.unreadyReason()) === null,
    stopping: stopping.signal,
    liftDeadline,
    clock,
    log,
  });
  addRest(app, operations, {
    streams,
    logins,
    version,
    unreadyReason: () => operations.unreadyReason(),
    metrics: async () => (await metrics()).read(),
    stopping: stopping.signal,
    liftDeadline,
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, url, id } = request;
    const took = Math.round(reply.elapsedTime);
    observed?.observe(
      { method, route: request.routeOptions.url ?? "none", status: reply.statusCode },
      reply.elapsedTime,
    );
    log.info(
      { request_id: id, method, path: url.split("?", 1)[0], status: reply.statusCode, ms: took },
      "answered",
    );
  });
  const { host } = options.address;
  const urlOf = () => `${scheme}://${authority(host, app.server.address())}`;
  app.server.once("listening", () => options.onListening?.(urlOf()));
  await listen(app, options.address);
  const [, local] = listeners;
  const socket = options.socket && local ? await openSocket(app, local, options.socket) : null;
  const url = urlOf();
  let stopped: Promise<void> | undefined;
  const api: Api = {
    url,
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => api.stop(),
  };
  return api;

  async function stop(): Promise<void> {
    stopping.abort();
    for (const listener of listeners) {
      listener.stop();
      listener.drain();
    }
    const patience = new AbortController();
    const closing = Promise.all([app.close(), socket?.close()]).finally(() => patience.abort());
    await clock.sleep(arrivingMs, patience.signal);
    if (!patience.signal.aborted) for (const listener of listeners) listener.closeQuiet();
    await clock.sleep(drainMs - arrivingMs, patience.signal);
    if (!patience.signal.aborted) for (const { server } of listeners) server.closeAllConnections();
    for (const listener of listeners) listener.closeHttp2();
    await closing;
  }
}

async function listen(app: App, { host, port }: ApiOptions["address"]): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    if (error instanceof Problem) throw error;
    const taken = errorCode(error) === "EADDRINUSE";
    throw new Problem("environment", `The server cannot listen on ${host}:${port}: ${errorMessage(error)}`, {
      place: "listen_address",
      remedy: taken
        ? "Another program listens there; name another address with SHIPINATOR_LISTEN_ADDRESS, or port 0 for any."
        : "Name another address with SHIPINATOR_LISTEN_ADDRESS.",
      cause: error,
    });
  }
}

async function openSocket(app: App, { server }: Listener, path: string): Promise<LocalSocket> {
  try {
    return await listenOnSocket(server, path);
  } catch (error) {
    await app.close();
    throw error;
  }
}

function authority(host: string, address: string | AddressInfo | null): string {
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The caller's id of the request where it can be written into a log, else a new id. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && /^[A-Za-z0-9._:-]{1,128}$/.test(header) ? header : newId<RunId>();
}

/** Fastify's view of our log: no child for each request, which is measurable. */
function requestLogger(log: Logger): FastifyBaseLogger {
  const logger: FastifyBaseLogger = {
    level: "info",
    silent: () => undefined,
    trace: log.trace.bind(log),
    debug: log.debug.bind(log),
    info: log.debug.bind(log),
    warn: log.warn.bind(log),
    error: log.error.bind(log),
    fatal: log.fatal.bind(log),
    child: () => logger,
  };
  return logger;
}
