/** A small registry over real HTTP on loopback, that answers as a test says and writes down what it was asked. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly accept: string | undefined;
}

export interface RegistryDouble extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly asked: readonly Asked[];
}

export type Answer = (request: IncomingMessage, response: ServerResponse, host: string) => void;

export async function openRegistry(answer: Answer): Promise<RegistryDouble> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const { authorization, accept } = request.headers;
    asked.push({ method: request.method ?? "", path: request.url ?? "", authorization, accept });
    answer(request, response, host);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${portOf(server.address())}`;
  return {
    host,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A port of loopback where nothing listens (any more). */
export async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server.address());
  server.close();
  await once(server, "close");
  return port;
}

function portOf(address: string | AddressInfo | null): number {
  if (typeof address !== "object" || address === null) throw new Error("the server has no port");
  return address.port;
}
