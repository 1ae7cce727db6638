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

/** A server that is restarted answers again soon; a command waits so long for it. */
const patienceMs = 10_000;
/** A request whose connection was lost may have been carried out: its answer is worth waiting for. */
const lostPatienceMs = 60_000;
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

  /** Repeats what may be asked again, while the server is away, stopping, or still at the first request with its key. */
  async function again<T>(
    work: () => Promise<T>,
    kind: "keyed" | "reading",
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const start = clock.monotonic();
    let lost = false;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        lost ||= kind === "keyed" && isLost(error);
        const late = clock.monotonic() >= start + (lost ? lostPatienceMs : patienceMs);
        if (isPassing(error) && !late && !signal?.aborted) await clock.sleep(pauseMs, signal);
        else throw lost && isPassing(error) ? unknownOutcome(server, error) : error;
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
      if (keyed) return await again(ask, "keyed", signal);
      return method === "GET" ? await again(ask, "reading", signal) : await ask();
    },
    open: (path, headers, signal) =>
      again(() => send(path, { method: "GET", headers, signal }), "reading", signal),
  };
}

const awayRemedy = "Is it running, and is the address right? See: shipinator serve, shipinator login SERVER";

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
  return new Problem("environment", `The server ${server} cannot be reached: ${errorMessage(error)}`, {
    remedy: awayRemedy,
    cause: error,
  });
}

export const isAway = (error: unknown) => error instanceof Problem && error.remedy === awayRemedy;

/** Codes of a restart (ENOENT: its Unix socket). A name or a certificate that is unknown stays so. */
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
    error.code === "unavailable" ||
    isUnderWay(error) ||
    (isAway(error) && passingCodes.includes(errorCode(error.cause) ?? ""))
  );
}

/** True when the server is still at the first request with this key, whose connection was lost. */
const isUnderWay = ({ code, details }: Problem) =>
  code === "conflict" && typeof details === "object" && details !== null && "retry_after" in details;

/** True when the request may have reached the server before its connection broke. */
function isLost(error: unknown): boolean {
  if (error instanceof BrokenAnswer) return true;
  if (!(error instanceof Problem)) return false;
  const lostCodes = ["ECONNRESET", "EPIPE", "ETIMEDOUT"];
  return isUnderWay(error) || (isAway(error) && lostCodes.includes(errorCode(error.cause) ?? ""));
}

function unknownOutcome(server: string, error: unknown): Problem {
  const message = `The connection to ${server} was lost, and it is unknown whether the request was carried out: ${errorMessage(error)}`;
  return new Problem("environment", message, {
    remedy: "Look what there is (shipinator list) before you repeat the command.",
    cause: error,
  });
}

async function problemOf(answer: HttpAnswer, server: string): Promise<Problem> {
  const body = parsed((await answer.bytes().catch(() => "")).toString());
  const { code, detail, remedy, place, details } = body;
  if (typeof code !== "string" || typeof detail !== "string" || !isCode(code))
    return new Problem(
      "environment",
      `${server} answered ${answer.status}, and not as a Shipinator server does.`,
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
