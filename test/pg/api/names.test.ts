import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PipelineService } from "../../../src/api/rpc/generated/shipinator.ts";
import { claimHeader } from "../../../src/contract/index.ts";
import { bearer, gRPC } from "./rpc/rpc.ts";
import { type Service, startService } from "./service.ts";

let service: Service;
let admin: string;
beforeAll(async () => {
  service = await startService();
  ({ token: admin } = await service.bench.local.tokens.create({ name: "names", scope: "admin" }));
});
afterAll(() => service[Symbol.asyncDispose]());

const rpc = () => createClient(PipelineService, gRPC(service.api.url));
const path = (name: string) => encodeURIComponent(name);
let count = 0;

async function register(project: string, pipeline: string): Promise<{ id: string; projectId: string }> {
  const { local } = service.bench;
  const projects = (await local.projects.list({ limit: 1000 })).items;
  const { id: projectId } =
    projects.find(({ name }) => name === project) ?? (await local.projects.create({ name: project }));
  const clone_url = `https://git.example/${++count}.git`;
  const { id: repository_id } = await local.repositories.create({ project_id: projectId, clone_url });
  return { id: (await local.pipelines.create({ repository_id, name: pipeline })).id, projectId };
}

/** Names that can be registered. */
const names: readonly (readonly [string, string])[] = [
  ["legacy", "My_App"],
  ["web", "nodeweb"],
  ["backend", "goapi"],
  ["team/sub", "app"],
  ["mono", "services/api"],
  ["a/b", "c/d"],
  ["web (staging) #2", "Füße 🚀"],
  ["hash", "c#"],
  ["hash", "release#5"],
  ["numbers", "12"],
  ["words", "latest"],
  ["words", "'; drop table projects; --"],
  ["ids", "01a20b05-b6ea-7abb-bb20-b3c05e9d7957"],
  ["p".repeat(200), "ß".repeat(100)],
];

describe.each(names)("the pipeline %s/%s", (project, pipeline) => {
  let id: string;
  beforeAll(async () => {
    ({ id } = await register(project, pipeline));
  });

  it.each([`${project}/${pipeline}`, pipeline])("is asked for and triggered as %s", async (name) => {
    const shown = await service.ask("GET", `/v1/pipelines/${path(name)}`);
    expect(shown.json, shown.text).toMatchObject({ id, name: pipeline, project });
    const accepted = await service.ask("POST", `/v1/pipelines/${path(name)}/runs`, { body: {} });
    expect(accepted.json, accepted.text).toMatchObject({ pipeline_id: id });
    const answer = await rpc().triggerRun({ pipeline: name }, bearer(admin));
    expect(answer.run?.pipelineId).toBe(id);
    const listed = await service.ask("GET", `/v1/pipeline-runs?pipeline=${path(name)}&limit=1`);
    expect(listed.json.items, listed.text).toMatchObject([{ id: answer.run?.id }]);

    const run = `${name}#${answer.run?.number}`;
    const found = await service.ask("GET", `/v1/pipeline-runs/${path(run)}`);
    expect(found.json, found.text).toMatchObject({ id: answer.run?.id });
    const why = await service.ask("GET", `/v1/pipeline-runs/${path(run)}/why`);
    expect(why.json, why.text).toMatchObject({ run_id: answer.run?.id });
    expect((await rpc().getRun({ run }, bearer(admin))).run?.id).toBe(answer.run?.id);
    expect((await service.bench.local.get(run)).id).toBe(answer.run?.id);
  });
});

describe("a name", () => {
  it("that two readings fit is refused with the ids, and each is had by its own", async () => {
    const slashed = await register("outer", "left/right");
    const plain = await register("left", "right");
    const vague = await service.ask("GET", `/v1/pipelines/${path("left/right")}`);
    expect(vague.status).toBe(400);
    expect(vague.json.remedy).toContain(`outer/left/right (${slashed.id})`);
    expect(vague.json.remedy).toContain(`left/right (${plain.id})`);
    const whole = await service.ask("GET", `/v1/pipelines/${path("outer/left/right")}`);
    expect(whole.json.id).toBe(slashed.id);
    expect((await service.ask("GET", `/v1/pipelines/${plain.id}`)).json.id).toBe(plain.id);
  });

  it("that many pipelines have is refused with ten of them", async () => {
    for (let project = 1; project <= 12; project += 1) await register(`crowd-${project}`, "crowded");
    const { json } = await service.ask("GET", "/v1/pipelines/crowded");
    expect(json.remedy.match(/crowd-\d+\/crowded \(\S+\)/g)).toHaveLength(10);
    expect(json.remedy).toMatch(/\), and more$/);
  });

  it("of another project's pipeline is not there for a token that is bound to one", async () => {
    const { projectId } = await register("bound", "own");
    await register("foreign", "theirs");
    const { token } = await service.bench.local.tokens.create({
      name: "bound",
      scope: "admin",
      project_id: projectId,
    });
    for (const name of ["theirs", "foreign/theirs"]) {
      const refused = await service.ask("GET", `/v1/pipelines/${path(name)}`, { token });
      expect(refused.json.code).toBe("not_found");
    }
    expect((await service.ask("GET", `/v1/pipelines/${path("bound/own")}`, { token })).status).toBe(200);
  });

  it.each(["No_such", "no/such", "no/such#1", "UPPER#1", "a b", "x#", "#", "x".repeat(900)])(
    "that means nothing (%j) is answered with the grammar in words",
    async (name) => {
      for (const kind of ["pipelines", "pipeline-runs"]) {
        const refused = await service.ask("GET", `/v1/${kind}/${path(name)}`);
        expect([refused.status, refused.json.code]).toEqual([404, "not_found"]);
        expect(refused.json.remedy).toContain("PROJECT/PIPELINE");
        expect(refused.text).not.toMatch(/regular expression|pattern|\^\[|\\\\d/);
      }
    },
  );

  it("of an executor is refused in words as well", () => {
    const refused = claimHeader.safeParse({ "executor-id": "two words" });
    expect(refused.error?.issues[0]?.message).toBe("is not 1 to 128 ASCII characters without spaces");
  });
});
