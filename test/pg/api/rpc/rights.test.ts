/** Every method of every service, asked with every kind of token. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  ArtifactService,
  ExecutorService,
  PipelineService,
  ProjectService,
} from "../../../../src/api/rpc/generated/shipinator.ts";
import type { Team } from "../../operations-bench.ts";
import { type Service, startService } from "../service.ts";
import { all, bearer, errorOf, gRPC, putEmpty } from "./rpc.ts";

let service: Service;
let team: Team;
let other: Team;
let spare: string;
let made = 0;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  service = await startService();
  const { bench } = service;
  [team, other] = [await bench.team("ours"), await bench.team("theirs")];
  const make = async (name: string, scope: "read" | "trigger" | "admin", project_id: string | null) => {
    tokens[name] = (await bench.local.tokens.create({ name, scope, project_id })).token;
  };
  await make("admin", "admin", null);
  tokens["global admin"] = tokens.admin ?? "";
  await make("admin", "admin", team.project);
  await make("read", "read", team.project);
  await make("trigger", "trigger", team.project);
  await make("other project", "admin", other.project);
  await putEmpty(bench, team);
  spare = (await bench.local.pipelines.create({ repository_id: team.repository, name: "spare" })).id;
});
afterAll(() => service[Symbol.asyncDispose]());

const transport = () => gRPC(service.api.url);
const ours = () => ({ run: team.run });
type Call = readonly [
  name: string,
  scope: "read" | "trigger" | "admin" | "global admin",
  call: (headers: object) => Promise<unknown>,
];
const pipelines = () => createClient(PipelineService, transport());
const projects = () => createClient(ProjectService, transport());
const artifacts = () => createClient(ArtifactService, transport());
const executors = () => createClient(ExecutorService, transport());
const calls: readonly Call[] = [
  ["ListPipelines", "read", (h) => pipelines().listPipelines({}, h)],
  ["GetPipeline", "read", (h) => pipelines().getPipeline({ pipeline: team.pipeline }, h)],
  ["UpdatePipeline", "admin", (h) => pipelines().updatePipeline({ pipeline: team.pipeline }, h)],
  ["RemovePipeline", "admin", (h) => pipelines().removePipeline({ pipeline: spare }, h)],
  ["ListProjects", "read", (h) => projects().listProjects({}, h)],
  ["GetProject", "read", (h) => projects().getProject({ project: team.project }, h)],
  ["CreateProject", "global admin", (h) => projects().createProject({ name: `made-${++made}` }, h)],
  ["UpdateProject", "admin", (h) => projects().updateProject({ project: team.project }, h)],
  ["RemoveProject", "global admin", (h) => projects().removeProject({ project: team.project }, h)],
  ["GetCaller", "read", (h) => projects().getCaller({}, h)],
  ["TriggerRun", "trigger", (h) => pipelines().triggerRun({ pipeline: team.pipeline }, h)],
  ["ListRuns", "read", (h) => pipelines().listRuns({}, h)],
  ["GetRun", "read", (h) => pipelines().getRun(ours(), h)],
  ["CancelRun", "trigger", (h) => pipelines().cancelRun(ours(), h)],
  ["RetryRun", "trigger", (h) => pipelines().retryRun(ours(), h)],
  ["ExplainRun", "read", (h) => pipelines().explainRun(ours(), h)],
  ["WatchRun", "read", (h) => all(pipelines().watchRun(ours(), h))],
  ["ReadLog", "read", (h) => all(pipelines().readLog({ executionId: team.execution }, h))],
  ["GetArtifact", "read", (h) => artifacts().getArtifact({ id: team.artifact }, h)],
  ["ListArtifacts", "read", (h) => artifacts().listArtifacts(ours(), h)],
  ["DownloadArtifact", "read", (h) => all(artifacts().downloadArtifact({ id: team.artifact }, h))],
];
const by = () => ({ executionId: team.attempt, executorId: "x" });
const ofExecutions: readonly (readonly [string, (headers: object) => Promise<unknown>])[] = [
  ["ClaimExecution", (h) => executors().claimExecution(by(), h)],
  ["BeginExecution", (h) => executors().beginExecution(by(), h)],
  ["HeartbeatExecution", (h) => executors().heartbeatExecution(by(), h)],
  ["ReportExecution", (h) => executors().reportExecution({ ...by(), status: "failed" }, h)],
  ["AppendLog", (h) => executors().appendLog(by(), h)],
  ["GetSource", (h) => all(executors().getSource(by(), h))],
  ["GetInput", (h) => all(executors().getInput(by(), h))],
  [
    "UploadArtifact",
    (h) =>
      artifacts().uploadArtifact(
        (async function* () {
          yield { part: { case: "header" as const, value: { ...by(), name: "a" } } };
        })(),
        h,
      ),
  ],
];

it("covers every method of every service", () => {
  const methods = [PipelineService, ProjectService, ArtifactService, ExecutorService].flatMap((one) =>
    one.methods.map(({ name }) => name),
  );
  expect([...calls, ...ofExecutions].map(([name]) => name).toSorted()).toEqual(methods.toSorted());
});

it.each(calls)("%s needs its scope, in its project", async (_name, scope, call) => {
  for (const headers of [
    {},
    { authorization: "Bearer shp_short" },
    { authorization: `Bearer shp_${"A".repeat(43)}` },
  ])
    expect((await errorOf(call({ headers }))).code).toBe(Code.Unauthenticated);
  expect((await errorOf(call(bearer(team.attemptToken)))).code).toBe(Code.Unauthenticated);
  for (const lower of {
    read: [],
    trigger: ["read"],
    admin: ["read", "trigger"],
    "global admin": ["read", "admin"],
  }[scope])
    expect((await errorOf(call(bearer(tokens[lower] ?? "")))).code).toBe(Code.PermissionDenied);
  const answer = await call(bearer(tokens["other project"] ?? "")).then(
    (found) => JSON.stringify(found, (_, one) => (typeof one === "bigint" ? Number(one) : one)),
    (error: unknown) => ConnectError.from(error).code,
  );
  if (typeof answer === "string") expect(answer).not.toContain(team.project);
  else expect(answer).toBe(scope === "global admin" ? Code.PermissionDenied : Code.NotFound);
  const mine = await call(bearer(tokens[scope] ?? "")).then(
    () => null,
    (error: unknown) => ConnectError.from(error).code,
  );
  expect([Code.Unauthenticated, Code.PermissionDenied]).not.toContain(mine);
});

it.each(ofExecutions)("%s takes the token of its execution alone", async (_name, call) => {
  expect((await errorOf(call({ headers: {} }))).code).toBe(Code.Unauthenticated);
  expect((await errorOf(call(bearer(`${team.attemptToken.slice(0, -4)}AAAA`)))).code).toBe(
    Code.Unauthenticated,
  );
  for (const scope of ["read", "trigger", "admin", "other project"])
    expect((await errorOf(call(bearer(tokens[scope] ?? "")))).code).toBe(Code.PermissionDenied);
  expect((await errorOf(call(bearer(other.attemptToken)))).code).toBe(Code.NotFound);
});
