/**
 * The listening server: HTTP/1.1 and HTTP/2, with the protections that Node has set where they belong. Header lines must come within
 * seconds, a body within a minute, and a connection that says nothing is let go.
 */
import { readFileSync, type StatWatcher, unwatchFile, watchFile } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { errorCode, errorMessage, type Logger, Problem } from "../../kernel/index.ts";
import { createBodyDeadlines } from "./body-deadlines.ts";
import { servePeeledHttp2 } from "./protocols.ts";
import { refuseConnection } from "./refusals.ts";

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

const limits = {
  /** Milliseconds for the request's header lines. */
  headersTimeout: 15_000,
  /** Bodies have deadlines of their own: see body-deadlines.ts. Answers may take as long as they need. */
  requestTimeout: 0,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
  /** Looks for what is late this often. */
  connectionsCheckingInterval: 2_000,
  noDelay: true,
} as const;

/** Milliseconds for a whole request. */
const requestMs = 60_000;

/** Milliseconds that an HTTP/2 connection without a stream may stay. */
const idleMs = 65_000;

/** Interval between looks at the certificate's files. */
const lookMs = 10_000;

export interface Listener {
  readonly server: Server;
  readonly scheme: "http" | "https";
  /** Closes the connections on which no request is under way: silent ones, and those whose header lines do not come. */
  closeQuiet(): void;
  /** Tells HTTP/2 connections to go elsewhere; what is under way on them may end. */
  drain(): void;
  /** Ends every HTTP/2 connection, and those that have said nothing yet. */
  closeHttp2(): void;
  /** This request's body may take as long as whoever reads it likes. */
  readonly liftDeadline: (request: object) => void;
  stop(): void;
}

/** @throws Problem server_config_invalid: a file cannot be read, or the two are no certificate and its key */
export function createListener(tls: TlsFiles | null, handler: RequestListener, log: Logger): Listener {
  const deadlines = createBodyDeadlines(requestMs);
  const limited = (server: Server) => {
    limit(server);
    server.prependListener("request", deadlines.watch);
    const closeQuiet = quietOf(server);
    const watched: RequestListener = (request, response) => {
      deadlines.watch(request, response);
      handler(request, response);
    };
    const protocols = servePeeledHttp2(server, watched, {
      firstByteMs: limits.headersTimeout,
      idleMs,
      maxHeaderBytes: limits.maxHeaderSize,
    });
    return {
      server,
      drain: protocols.drain,
      closeHttp2: protocols.closeAll,
      closeQuiet() {
        closeQuiet();
        protocols.closeQuiet();
      },
      liftDeadline: deadlines.lift,
    };
  };
  if (tls === null)
    return { ...limited(createServer(limits, handler)), scheme: "http", stop: () => undefined };
  const server = createTlsServer(
    { ...limits, ...readTls(tls), minVersion: "TLSv1.2", ALPNProtocols: ["h2", "http/1.1"] },
    handler,
  );
  // A client that speaks no TLS, or gives up: its connection is its own matter.
  server.on("tlsClientError", (error) => log.debug({ err: error }, "a TLS connection failed"));
  const stop = watch(tls, () => {
    try {
      server.setSecureContext(readTls(tls));
      log.info({ certificate: tls.certificate }, "took the changed certificate");
    } catch (error) {
      log.error(
        { error: errorMessage(error) },
        "the changed certificate cannot be used; the one before stays",
      );
    }
  });
  return { ...limited(server), scheme: "https", stop };
}

/** Node's own look for idle connections takes one for busy that has sent the half of a line. */
function quietOf(server: Server): () => void {
  const underWay = new Map<Socket, number>();
  const count = (socket: Socket, by: 1 | -1) => {
    const before = underWay.get(socket);
    if (before !== undefined) underWay.set(socket, before + by);
  };
  const accepted = server instanceof TlsServer ? "secureConnection" : "connection";
  server.on(accepted, (socket: Socket) => {
    underWay.set(socket, 0);
    socket.once("close", () => underWay.delete(socket));
  });
  server.prependListener("request", ({ socket }, response) => {
    count(socket, 1);
    response.once("close", () => count(socket, -1));
  });
  return () => {
    for (const [socket, requests] of underWay) if (requests === 0) socket.destroy();
  };
}

/** Node drops what comes beyond so many; a process has so many file handles at most systems' default. */
const maxConnections = 4_096;

function limit(server: Server): void {
  server.maxConnections = maxConnections;
  // Else Node passes over the lines beyond a number of them. They are bounded by their size.
  server.maxHeadersCount = 0;
  // An expectation that nobody knows may be passed over (RFC 9110 §10.1.1), and then has an answer like all others.
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  // Else Node closes the connection without a word.
  server.on("connect", (_request, socket) =>
    refuseConnection(new Problem("usage", "The server is no proxy."), socket),
  );
}

function readTls({ certificate, key }: TlsFiles): { readonly cert: Buffer; readonly key: Buffer } {
  const read = (path: string) => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new Problem("server_config_invalid", `${path} cannot be read: ${errorMessage(error)}`, {
        place: path,
        remedy: "tls.certificate and tls.key must name PEM files that the server's account can read.",
        cause: error,
      });
    }
  };
  const pair = { cert: read(certificate), key: read(key) };
  try {
    createSecureContext(pair);
  } catch (error) {
    const fact =
      errorCode(error) === "ERR_OSSL_X509_KEY_VALUES_MISMATCH"
        ? `The key ${key} does not belong to the certificate ${certificate}.`
        : `The certificate ${certificate} and the key ${key} cannot be used: ${errorMessage(error)}.`;
    throw new Problem("server_config_invalid", fact, {
      remedy: "tls.certificate and tls.key must name PEM files of one certificate and its private key.",
      cause: error,
    });
  }
  return pair;
}

/** By looking, not by notifications: certificates are replaced by renames, over mounts, by links to links. */
function watch(files: TlsFiles, changed: () => void): () => void {
  const watchers: StatWatcher[] = Object.values(files).map((path) =>
    watchFile(path, { interval: lookMs, persistent: false }, (now, before) => {
      if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) changed();
    }),
  );
  return () => {
    for (const watcher of watchers) watcher.removeAllListeners();
    for (const path of Object.values(files)) unwatchFile(path);
  };
}
