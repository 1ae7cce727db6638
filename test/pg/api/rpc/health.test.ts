/** Streams of the health service, which nobody needs a token for. */
import { createClient, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, it } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../../src/api/rpc/generated/health.ts";
import { healthService } from "../../../../src/api/rpc/health.ts";
import { systemClock } from "../../../../src/kernel/index.ts";
import { eventually } from "../../../support/eventually.ts";
import { startService } from "../service.ts";

/** Opens streams of one address; each ends with the returned function. */
function opener(baseUrl: string, end: AbortSignal) {
  const client = createClient(Health, createGrpcTransport({ baseUrl }));
  return async (address: string, service = "") => {
    const over = new AbortController();
    const signal = AbortSignal.any([end, over.signal]);
    const items = client.watch({ service }, { signal, headers: { "x-forwarded-for": address } });
    const first = await items[Symbol.asyncIterator]()
      .next()
      .catch((error: unknown) => error);
    return { first, close: () => over.abort() };
  };
}

const serving = { value: { status: Status.SERVING } };
const refused = expect.objectContaining({
  rawMessage: expect.stringContaining("Too many health streams"),
  code: 8,
});

it("an address opens 8 streams, and another when one has ended", async () => {
  await using service = await startService({ proxy: true });
  const end = new AbortController();
  const open = opener(service.api.url, end.signal);
  const streams = [await open("192.0.2.1", "shipinator.v1.PipelineService"), await open("192.0.2.1", "none")];
  for (let i = 2; i < 8; i += 1) streams.push(await open("192.0.2.1"));
  expect(streams[0]?.first).toMatchObject(serving);
  expect(streams[1]?.first).toMatchObject({ value: { status: Status.SERVICE_UNKNOWN } });
  expect(streams[7]?.first).toMatchObject(serving);
  expect((await open("192.0.2.1")).first).toEqual(refused);
  expect((await open("192.0.2.2")).first).toMatchObject(serving);
  streams[0]?.close();
  await eventually(async () => expect((await open("192.0.2.1")).first).toMatchObject(serving));
  end.abort();
});

it("all addresses together open 256 streams", async () => {
  await using service = await startService({ proxy: true });
  const end = new AbortController();
  // A connection carries 128 streams.
  const connections = Array.from({ length: 3 }, () => opener(service.api.url, end.signal));
  const asked = connections.flatMap((open, of) =>
    Array.from({ length: 100 }, (_, i) => open(`192.0.${of}.${Math.floor(i / 8)}`)),
  );
  const streams = await Promise.all(asked);
  const errors = streams.filter(({ first }) => first instanceof Error);
  expect(errors).toHaveLength(300 - 256);
  for (const { first } of errors) expect(first).toEqual(refused);
  end.abort();
});

it("streams share one reading of the readiness every five seconds", async () => {
  let time = 0;
  let asleep: (() => void)[] = [];
  const clock = {
    ...systemClock,
    monotonic: () => time,
    sleep: () => new Promise<void>((resolve) => asleep.push(resolve)),
  };
  const answers = [true, false];
  let readings = 0;
  const ready = async () => answers[readings++] ?? true;
  const { watch } = healthService({ services: new Set(), ready, clock });
  const { signal } = new AbortController();
  const context = { signal, values: createContextValues() } as unknown as HandlerContext;
  const watchers = Array.from({ length: 8 }, () =>
    (watch as (request: object, context: HandlerContext) => AsyncIterable<object>)({ service: "" }, context)[
      Symbol.asyncIterator
    ](),
  );
  const next = () => Promise.all(watchers.map(async (one) => (await one.next()).value));
  expect(await next()).toEqual(watchers.map(() => ({ status: Status.SERVING })));
  expect(readings).toBe(1);
  const changed = next();
  await eventually(() => expect(asleep.length).toBe(8));
  time = 5_000;
  for (const wake of asleep) wake();
  asleep = [];
  expect(await changed).toEqual(watchers.map(() => ({ status: Status.NOT_SERVING })));
  expect(readings).toBe(2);
});
