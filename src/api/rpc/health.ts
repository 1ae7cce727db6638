/** The health service: whether the server as a whole, or one of its services, takes requests. */
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Clock, Problem } from "../../kernel/index.ts";
import { createPlaces, type Places } from "../http/places.ts";
import { peerOf } from "./callers.ts";
import {
  type Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Status,
} from "./generated/health.ts";

/** Milliseconds between two reads of the readiness for all streams. */
const everyMs = 5_000;
/** Open streams. Nobody needs a token for one. */
const streamLimits = { perCaller: 8, inAll: 256 } as const;

export interface HealthDeps {
  readonly services: ReadonlySet<string>;
  /** True when the database answers and the server does not stop. */
  readonly ready: () => Promise<boolean>;
  readonly clock: Clock;
}

interface Reading {
  readonly status: Promise<Status>;
  /** Time by the monotonic clock at which the next one is due. */
  readonly dueAt: number;
}

export function healthService({ services, ready, clock }: HealthDeps): ServiceImpl<typeof Health> {
  const knows = ({ service }: HealthCheckRequest) => service === "" || services.has(service);
  const status = async () => ((await ready()) ? Status.SERVING : Status.NOT_SERVING);
  const places = createPlaces(streamLimits);
  let latest: Reading | null = null;

  const unknown = (): Reading => ({
    status: Promise.resolve(Status.SERVICE_UNKNOWN),
    dueAt: clock.monotonic() + everyMs,
  });

  /** The reading that all streams share until the next one is due. */
  function shared(): Reading {
    const now = clock.monotonic();
    if (latest === null || now >= latest.dueAt) latest = { status: status(), dueAt: now + everyMs };
    return latest;
  }

  return {
    async check(request) {
      if (!knows(request)) throw new ConnectError(`there is no service ${request.service}`, Code.NotFound);
      return { status: await status() };
    },
    async *watch(request, context) {
      const { signal } = context;
      const release = acquire(places, peerOf(context).ip);
      // A stream whose client does not read ends with its signal alone.
      signal.addEventListener("abort", release, { once: true });
      try {
        yield* changes(knows(request) ? shared : unknown, clock, signal);
      } finally {
        release();
      }
    },
  };
}

/** @throws Problem too_many_requests */
function acquire(places: Places, address: string): () => void {
  const release = places.acquire(address);
  if (release !== null) return release;
  throw new Problem(
    "too_many_requests",
    "Too many health streams of this address, or of all, are open already.",
    {
      remedy: "Close some, or call Check.",
    },
  );
}

async function* changes(shared: () => Reading, clock: Clock, signal: AbortSignal) {
  let last: Status | null = null;
  while (!signal.aborted) {
    const { status, dueAt } = shared();
    const now = await status;
    if (now !== last) yield { status: now };
    last = now;
    await clock.sleep(Math.max(1, dueAt - clock.monotonic()), signal);
  }
}
