/** HTTP to one server with one token. Errors come back as the `Problem`s that the server has thrown. */
import {
  type Clock,
  errorCode,
  errorMessage,
  newId,
  Problem,
  type ProblemCode,
  problems,
  type RunId,
} from "../../kernel/index.ts";
import { BrokenAnswer, type Connection, exchange, type HttpAnswer, type HttpRequest } from "./exchange.ts";

export interface Transport {
  /** A JSON answer. */
  json<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T>;
  /** An answer whose body is read as it comes. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpAnswer>;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface TransportOptions {
  /** With scheme, without a slash at the end. */
  readonly server: string;
  readonly token: string;
  readonly clock: Clock;
  readonly connection?: Connection;
}

/** A server that is restarted answers again soon; whoever only asks waits so long for it. */
const patienceMs = 10_000;
const pauseMs = 250;

export function createTransport({ server, token, clock, connection }: TransportOptions): Transport {
  const way = connection === undefined ? {} : { connection };

  async function send(path: string, request: HttpRequest): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${token}`, ...request.headers };
    let answer: HttpAnswer;
    try {
      answer = await exchange(`${server}${path}`, { ...request, ...way, headers });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw away(server, error);
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw await problemOf(answer, server);
  }

  /** What changes nothing may be asked again, while the server is away or says that it is stopping. */
  async function again<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const end = clock.monotonic() + patienceMs;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isPassing(error) || clock.monotonic() >= end || signal?.aborted) throw error;
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  return {
    async json<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
      // What is asked for under a key is done once, however often it is asked.
      const keyed = method === "POST";
      const request = {
        method,
        headers: {
          accept: "application/json",
          ...(keyed ? { "idempotency-key": newId<RunId>() } : {}),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      };
      const ask = async (): Promise<T> => {
        const answer = await send(path, request);
        const text = (await answer.bytes()).toString();
        // The server's answers are held to their schemas where they are made.
        return JSON.parse(text === "" ? "null" : text);
      };
      return keyed || method === "GET" ? await again(ask, signal) : await ask();
    },
    open: (path, headers, signal) => again(() => send(path, { method: "GET", headers, signal }), signal),
  };
}

const awayRemedy = "Is it running, and is the address right? See: shipinator serve, shipinator login";

/** Codes of OpenSSL for a certificate whose authority is not among the trusted ones. */
const unknownAuthorityCodes = [
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];

export function away(server: string, error: unknown): Problem {
  if (unknownAuthorityCodes.includes(errorCode(error) ?? ""))
    return new Problem(
      "environment",
      `The certificate of ${server} comes from an authority that is not trusted here: ${errorMessage(error)}.`,
      {
        remedy:
          "Name a PEM file with the authority's certificate: --ca-file FILE or SHIPINATOR_CA_FILE. `shipinator login --ca-file FILE` remembers it.",
        cause: error,
      },
    );
  return new Problem("environment", `the server ${server} cannot be reached: ${errorMessage(error)}`, {
    remedy: awayRemedy,
    cause: error,
  });
}

export const isAway = (error: unknown) => error instanceof Problem && error.remedy === awayRemedy;

/** What a restart looks like from here (ENOENT: its Unix socket). A name that is unknown, or a certificate that is, stays so. */
const passingCodes = [
  "ENOENT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EAI_AGAIN",
];

function isPassing(error: unknown): boolean {
  if (error instanceof BrokenAnswer) return true;
  if (!(error instanceof Problem)) return false;
  return (
    error.code === "unavailable" || (isAway(error) && passingCodes.includes(errorCode(error.cause) ?? ""))
  );
}

async function problemOf(answer: HttpAnswer, server: string): Promise<Problem> {
  const body = parsed((await answer.bytes().catch(() => "")).toString());
  const { code, detail, remedy, place, details } = body;
  if (typeof code !== "string" || typeof detail !== "string" || !isCode(code))
    return new Problem(
      "environment",
      `${server} answered ${answer.status}, and not as a Shipinator server does`,
      {
        remedy: "Is the address that of a Shipinator server?",
      },
    );
  return new Problem(code, detail, {
    ...(typeof remedy === "string" ? { remedy } : {}),
    ...(typeof place === "string" ? { place } : {}),
    ...(details === undefined ? {} : { details }),
  });
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function isCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code);
}
