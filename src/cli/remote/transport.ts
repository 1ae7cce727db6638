/** HTTP to one server with one token. Errors come back as the `Problem`s that the server has thrown. */
import {
  type Clock,
  errorMessage,
  newId,
  Problem,
  type ProblemCode,
  problems,
  type RunId,
} from "../../kernel/index.ts";

export interface Transport {
  /** A JSON answer. */
  json<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T>;
  /** The answer's body as it comes; ends in a Problem when the connection breaks. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response>;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface TransportOptions {
  /** With scheme, without a slash at the end. */
  readonly server: string;
  readonly token: string;
  readonly clock: Clock;
}

/** A server that is restarted answers again soon; whoever only asks waits so long for it. */
const patienceMs = 10_000;
const pauseMs = 250;

export function createTransport({ server, token, clock }: TransportOptions): Transport {
  async function send(
    method: Method,
    path: string,
    init: {
      readonly headers?: Record<string, string>;
      readonly body?: string;
      readonly signal?: AbortSignal;
    },
  ): Promise<Response> {
    const headers = { authorization: `Bearer ${token}`, ...init.headers };
    const { body = null, signal = null } = init;
    let response: Response;
    try {
      response = await fetch(`${server}${path}`, { method, headers, body, signal, redirect: "error" });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw away(server, error);
    }
    if (!response.ok) throw await problemOf(response, server);
    return response;
  }

  /** What changes nothing may be asked again, while the server is away or says that it is stopping. */
  async function again<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const end = clock.monotonic() + patienceMs;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const passing = error instanceof Problem && (error.code === "unavailable" || isAway(error));
        if (!passing || clock.monotonic() >= end || signal?.aborted) throw error;
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  return {
    async json<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
      // What is asked for under a key is done once, however often it is asked.
      const keyed = method === "POST";
      const init = {
        headers: {
          accept: "application/json",
          ...(keyed ? { "idempotency-key": newId<RunId>() } : {}),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      };
      const ask = async (): Promise<T> => {
        const response = await send(method, path, init);
        const text = await response.text();
        // The server's answers are held to their schemas where they are made.
        return JSON.parse(text === "" ? "null" : text);
      };
      return keyed || method === "GET" ? await again(ask, signal) : await ask();
    },
    open: (path, headers, signal) =>
      again(() => send("GET", path, { headers: { ...headers }, signal }), signal),
  };
}

const awayRemedy = "Is it running, and is the address right? See: shipinator serve, shipinator login";

export function away(server: string, error: unknown): Problem {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return new Problem("environment", `the server ${server} cannot be reached: ${errorMessage(cause)}`, {
    remedy: awayRemedy,
    cause: error,
  });
}

export const isAway = (error: unknown) => error instanceof Problem && error.remedy === awayRemedy;

async function problemOf(response: Response, server: string): Promise<Problem> {
  const text = await response.text().catch(() => "");
  const body = parsed(text);
  const { code, detail, remedy, place, details } = body;
  if (typeof code !== "string" || typeof detail !== "string" || !isCode(code))
    return new Problem(
      "environment",
      `${server} answered ${response.status}, and not as a Shipinator server does`,
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
