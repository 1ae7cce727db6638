/** Clients of every protocol for the API under test. */

import { ConnectError, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { ServiceBench, Team } from "../../operations-bench.ts";

export const gRPC = (baseUrl: string): Transport => createGrpcTransport({ baseUrl });

export const protocols: Readonly<Record<string, (baseUrl: string) => Transport>> = {
  "Connect, HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect, HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "gRPC-Web, HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  gRPC,
};

export const bearer = (token: string): { readonly headers: Readonly<Record<string, string>> } => ({
  headers: { authorization: `Bearer ${token}` },
});

/** What a call was refused with. */
export async function errorOf(work: Promise<unknown>): Promise<ConnectError> {
  return await work.then(
    () => {
      throw new Error("it was answered");
    },
    (error: unknown) => ConnectError.from(error),
  );
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The bytes of the team's artifact, of which there are none. */
export async function putEmpty({ artifacts }: ServiceBench, team: Team): Promise<void> {
  await artifacts.put({
    id: team.artifact as never,
    name: "app",
    type: "binary",
    metadata: { form: "file", path: "app" },
    source: (async function* () {})(),
  });
}
