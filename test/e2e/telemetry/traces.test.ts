/** Runs as traces: what a collector gets of a server, and what a server makes of a collector that is away. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, portOf, serverEnvironment, startServer, type TestServer } from "../../support/server.ts";

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

let world: World;
let server: TestServer;
let collector: Server;
const spans: Span[] = [];

beforeAll(async () => {
  collector = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk) => (text += chunk));
    request.on("end", () => {
      expect([request.method, request.url]).toEqual(["POST", "/v1/traces"]);
      for (const { scopeSpans } of JSON.parse(text).resourceSpans)
        for (const scope of scopeSpans) spans.push(...scope.spans);
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  collector.listen(0, "127.0.0.1");
  await once(collector, "listening");
  const { port } = collector.address() as AddressInfo;
  world = await World.prepared();
  server = await startServer(world, 0, { SHIPINATOR_TELEMETRY_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  const files = {
    ".shipinator.yaml": `
build: { steps: [{ name: make, run: sleep 0.2 }, { name: pack, run: "true" }] }
test: { steps: [{ name: unit, run: exit 3 }] }
`,
  };
  const added = await world.shipinator(["pipeline", "add", world.repository("app", files)], {
    env: serverEnvironment,
  });
  expect(added.code).toBe(0);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  collector.close();
  await world[Symbol.asyncDispose]();
});

const trigger = () => server.post<RunDetail>("/v1/pipelines/app/runs");

it("are what is recorded of them: jobs, steps and attempts, each in what it belongs to", async () => {
  const run = await ended(server, (await trigger()).id);
  await eventually(() => spans.length >= 9);
  const byName = new Map(spans.map((span) => [span.name, span]));
  expect([...byName.keys()].toSorted()).toEqual([
    "attempt 1",
    "build build",
    "run app",
    "step make",
    "step pack",
    "step unit",
    "test test",
  ]);
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([run.id.replaceAll("-", "")]));
  const parentOf = (name: string) => byName.get(name)?.parentSpanId;
  expect(parentOf("build build")).toBe(byName.get("run app")?.spanId);
  expect(parentOf("step make")).toBe(byName.get("build build")?.spanId);
  const root = byName.get("run app");
  expect(root?.parentSpanId ?? "").toBe("");
  expect([root?.status.code, byName.get("step make")?.status.code]).toEqual([2, 1]);
  expect(root?.attributes).toContainEqual({
    key: "shipinator.reason",
    value: { stringValue: "script_failed" },
  });
  const ms = (text: string | undefined) => Number(BigInt(text ?? "0") / 1_000_000n);
  expect(ms(root?.startTimeUnixNano)).toBe(Date.parse(run.created_at));
  expect(ms(root?.endTimeUnixNano)).toBe(Date.parse(run.finished_at ?? ""));
  const make = byName.get("step make");
  expect(ms(make?.endTimeUnixNano) - ms(make?.startTimeUnixNano)).toBeGreaterThanOrEqual(200);
});

it("are sent before the server has stopped, and hold up nothing when nobody takes them", async () => {
  const port = portOf(server);
  const before = spans.length;
  await ended(server, (await trigger()).id);
  expect(await server.stop()).toBe(0);
  expect(spans.length).toBe(before + 9);
  server = await startServer(world, port, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  const run = await ended(server, (await trigger()).id);
  expect(run.status).toBe("failed");
});
