/** The health service: whether the server as a whole, or one of its services, takes requests. */
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../../kernel/index.ts";
import {
  type Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Status,
} from "./generated/health.ts";

/** Between looks of those who watch. */
const everyMs = 5_000;

export interface HealthDeps {
  readonly services: ReadonlySet<string>;
  /** Whether the database answers, and the server does not stop. */
  readonly ready: () => Promise<boolean>;
  readonly clock: Clock;
}

export function healthService({ services, ready, clock }: HealthDeps): ServiceImpl<typeof Health> {
  const knows = ({ service }: HealthCheckRequest) => service === "" || services.has(service);
  const status = async () => ((await ready()) ? Status.SERVING : Status.NOT_SERVING);
  return {
    async check(request) {
      if (!knows(request)) throw new ConnectError(`there is no service ${request.service}`, Code.NotFound);
      return { status: await status() };
    },
    async *watch(request, { signal }) {
      let last: Status | null = null;
      while (!signal.aborted) {
        const now: Status = knows(request) ? await status() : Status.SERVICE_UNKNOWN;
        if (now !== last) yield { status: now };
        last = now;
        await clock.sleep(everyMs, signal);
      }
    },
  };
}
