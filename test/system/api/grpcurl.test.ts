/** The services as a person at a terminal asks them: by a client that has no `.proto` and is none of ours. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Service, startService } from "../../pg/api/service.ts";
import type { Team } from "../../pg/operations-bench.ts";
import { onPath } from "../support/needs.ts";

const lacking = onPath("grpcurl") ? null : "grpcurl is not on PATH";
let service: Service;
let team: Team;
let token: string;

beforeAll(async () => {
  service = await startService();
  team = await service.bench.team("ours");
  token = (await service.bench.local.tokens.create({ name: "admin", scope: "admin" })).token;
});
afterAll(() => service[Symbol.asyncDispose]());

async function grpcurl(...argv: string[]) {
  const { host } = new URL(service.api.url);
  // `-d DATA` comes before the address.
  const end = argv[0] === "-d" ? 2 : 0;
  const options = ["-plaintext", "-max-time", "10", "-H", `authorization: Bearer ${token}`];
  const given = [...argv.slice(0, end), host, ...argv.slice(end)];
  return await promisify(execFile)("grpcurl", [...options, ...given]).then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    (error: { readonly code: number; readonly stderr: string }) => ({ code: error.code, text: error.stderr }),
  );
}

describe("grpcurl", () => {
  beforeEach((context) => {
    if (lacking !== null) context.skip(lacking);
  });

  it("finds the services, and what each of them takes, by reflection", async () => {
    expect((await grpcurl("list")).text.trim().split("\n")).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "shipinator.v1.ArtifactService",
      "shipinator.v1.ExecutorService",
      "shipinator.v1.PipelineService",
      "shipinator.v1.ProjectService",
    ]);
    const described = await grpcurl("describe", "shipinator.v1.Run");
    expect(described.text).toMatch(/repeated \.shipinator\.v1\.Job jobs = 22/);
    const method = await grpcurl("describe", "shipinator.v1.PipelineService.WatchRun");
    expect(method.text).toContain("returns ( stream .shipinator.v1.WatchRunResponse )");
    expect((await grpcurl("describe", "shipinator.v1.Nothing")).code).not.toBe(0);
  });

  it("asks, and is told what is wrong in words", async () => {
    const health = await grpcurl("grpc.health.v1.Health/Check");
    expect(JSON.parse(health.text)).toEqual({ status: "SERVING" });
    const run = await grpcurl("-d", `{"run":"${team.run}"}`, "shipinator.v1.PipelineService/GetRun");
    expect(JSON.parse(run.text).run).toMatchObject({ id: team.run, status: "failed" });
    const events = await grpcurl("-d", `{"run":"${team.run}"}`, "shipinator.v1.PipelineService/WatchRun");
    expect(events.text.match(/"transition"/g)?.length).toBeGreaterThan(5);
    const wrong = await grpcurl("-d", '{"run":"nothing"}', "shipinator.v1.PipelineService/GetRun");
    expect(wrong.text).toContain('There is no run "nothing"');
    expect(wrong.text).toContain('"code": "not_found"');
  });
});
