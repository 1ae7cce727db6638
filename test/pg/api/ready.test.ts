import { afterAll, beforeAll, expect, it } from "vitest";
import { type Service, startService } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

it("is ready when nothing of the start is missing, and says what is", async () => {
  const { start } = service.bench;
  start.missing = "3 of 9 recovered runs have been reconciled.";
  expect(await service.ask("GET", "/readyz")).toMatchObject({
    status: 503,
    json: { code: "unavailable", detail: expect.stringContaining("3 of 9 recovered runs") },
  });
  // Whoever asks for more than readiness is served meanwhile.
  expect((await service.ask("GET", "/v1/pipeline-runs")).status).toBe(200);
  start.missing = null;
  expect((await service.ask("GET", "/readyz")).status).toBe(200);
});
