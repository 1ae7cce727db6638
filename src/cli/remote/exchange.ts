/**
 * One HTTP request and its answer, by `node:http`: `fetch` alone takes a quarter of what a command takes from its start
 * to its end.
 */
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import { buffer } from "node:stream/consumers";

/** A way to the server other than its address and the machine's certificates. */
export interface Connection {
  /** Path of a Unix socket that speaks plain HTTP; null: the address. */
  readonly socket: string | null;
  /** PEM certificates of authorities that are trusted beside the machine's; null: none. */
  readonly authorities: string | null;
}

export interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
  readonly connection?: Connection;
}

export interface HttpAnswer {
  readonly status: number;
  /** Chunks as they come, once. Ends in a BrokenAnswer where the connection breaks, in the signal's reason when it aborts. */
  readonly body: AsyncIterable<Buffer>;
  /** All of it. */
  bytes(): Promise<Buffer>;
}

/** The answer began to come and its connection broke, or nothing more came for too long. */
export class BrokenAnswer extends Error {
  override name = "BrokenAnswer";
}

/** A server that follows a log has something to say each few seconds, if only that it is there. */
const silenceMs = 300_000;

/**
 * An answer of any status; none is followed elsewhere.
 * @throws the signal's reason, or what kept the server from being reached
 */
export async function exchange(
  address: string,
  { method, headers, body, signal, connection }: HttpRequest,
): Promise<HttpAnswer> {
  signal?.throwIfAborted();
  const url = new URL(address);
  const socket = connection?.socket ?? null;
  const secure = url.protocol === "https:" && socket === null;
  if (socket !== null) url.protocol = "http:";
  const start = secure ? (await import("node:https")).request : request;
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const options = {
    method,
    headers: { ...headers, ...length },
    ...(signal === undefined ? {} : { signal }),
    ...(socket === null ? {} : { socketPath: socket }),
    ...(secure ? await trusted(connection?.authorities ?? null) : {}),
  };
  const answer = await begin((take) => start(url, options satisfies RequestOptions, take), body, signal);
  const chunks = pieces(answer, signal);
  return { status: answer.statusCode ?? 0, body: chunks, bytes: () => buffer(chunks) };
}

/** Adds the given authorities to those that Node trusts by itself. */
async function trusted(authorities: string | null): Promise<{ readonly ca?: string[] }> {
  if (authorities === null) return {};
  const { getCACertificates } = await import("node:tls");
  return { ca: [...getCACertificates("default"), authorities] };
}

function begin(
  start: (take: (answer: IncomingMessage) => void) => ClientRequest,
  body: string | undefined,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = start(resolve);
    asked.setTimeout(silenceMs, () => asked.destroy(new Error(`it was silent for ${silenceMs / 1000} s`)));
    asked.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
    asked.end(body);
  });
}

async function* pieces(answer: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  try {
    yield* answer;
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw new BrokenAnswer("the connection broke in the middle of the answer", { cause });
  }
}
