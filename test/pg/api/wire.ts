/** Bytes on a connection, as no HTTP client would send them. */
import { connect, type Socket } from "node:net";
import type { Api } from "../../../src/api/index.ts";

export interface Connection extends Disposable {
  readonly socket: Socket;
  /** All that came until the other side closed. */
  readonly closed: Promise<string>;
  /** All that came until it holds this. */
  said(pattern: RegExp): Promise<string>;
}

export function dial({ url }: Pick<Api, "url">, text = ""): Connection {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const closed = Promise.withResolvers<string>();
  let heard = "";
  socket.on("data", (chunk) => {
    heard += chunk.toString("latin1");
    socket.emit("heard");
  });
  socket.on("error", () => undefined);
  socket.on("end", () => socket.end());
  socket.on("close", () => closed.resolve(heard));
  if (text !== "") socket.write(text);
  return {
    socket,
    closed: closed.promise,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => pattern.test(heard) && resolve(heard);
        socket.on("heard", look);
        socket.on("close", () => reject(new Error(`closed after ${JSON.stringify(heard)}`)));
        look();
      }),
    [Symbol.dispose]: () => socket.destroy(),
  };
}
