import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { advance } from "../fixture.ts";
import { type Service, startService } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

const metric = async (name: string) => {
  const { text } = await service.ask("GET", "/metrics");
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.split(" ")
      .at(-1),
  );
};

describe("metrics", () => {
  it("count requests by route, never by what stands in a path", async () => {
    await service.ask("GET", "/metrics");
    await service.ask("GET", "/v1/projects/no-such-project");
    await service.ask("GET", "/no/such/route");
    const { text, headers } = await service.ask("GET", "/metrics");
    expect(headers.get("content-type")).toContain("text/plain");
    expect(text).toMatch(/duration_seconds_count\{method="GET",route="\/v1\/projects\/:id",status="4xx"\} 1/);
    expect(text).toMatch(/route="none",status="4xx"\} 1/);
    expect(text).not.toContain("no-such");
    expect(text).toContain("nodejs_eventloop_lag_seconds");
  });

  it("show what there is to do, of the database", async () => {
    const { fixture } = service.bench;
    const before = await metric('shipinator_runs_unfinished{status="pending"}');
    const { id } = await fixture.store.runs.accept({ ...fixture.newRun, config: null }, () => []);
    expect(await metric('shipinator_runs_unfinished{status="pending"}')).toBe(before + 1);
    expect(await metric("shipinator_queue_executions")).toBe(0);
    expect(await metric('shipinator_database_connections{state="total"}')).toBeGreaterThan(0);
    await fixture.store.runs.requestCancel(id, "ann");
    await advance(fixture, id);
    expect(await metric('shipinator_runs_unfinished{status="pending"}')).toBe(before);
  });
});
