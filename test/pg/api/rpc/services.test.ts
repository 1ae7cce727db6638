/** The services in every protocol: REST's answers, errors and rights. */
import { createHash } from "node:crypto";
import { toJson } from "@bufbuild/protobuf";
import { Code, type ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ArtifactService,
  ExecutorService,
  PipelineService,
  ProblemSchema,
  ProjectSchema,
  ProjectService,
  RunSchema,
} from "../../../../src/api/rpc/generated/shipinator.ts";
import { newId } from "../../../../src/kernel/index.ts";
import type { Team } from "../../operations-bench.ts";
import { type Service, startService } from "../service.ts";
import { all, bearer, errorOf, protocols, putEmpty } from "./rpc.ts";

let service: Service;
let team: Team;
let admin: string;

beforeAll(async () => {
  service = await startService();
  const { bench } = service;
  team = await bench.team("ours");
  admin = (await bench.local.tokens.create({ name: "admin", scope: "admin", project_id: null })).token;
  await putEmpty(bench, team);
});
afterAll(() => service[Symbol.asyncDispose]());

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const problemOf = (error: ConnectError) => error.findDetails(ProblemSchema)[0];

/** A message without what is not set, and REST's answer without null: their fields are then the same. */
const bare = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, said) => {
    // Times and long integers have their own form in protobuf's JSON.
    const one = typeof said === "string" && /^\d+$/.test(said) ? Number(said) : said;
    if (one === null || (Array.isArray(one) && one.length === 0) || one === false || one === 0)
      return undefined;
    return typeof one === "string" && key.endsWith("_at") ? new Date(one).toISOString() : one;
  });

describe.each(Object.entries(protocols))("%s", (_name, make) => {
  let transport: Transport;
  beforeAll(() => {
    transport = make(service.api.url);
  });
  const pipelines = () => createClient(PipelineService, transport);
  const projects = () => createClient(ProjectService, transport);
  const artifacts = () => createClient(ArtifactService, transport);
  const executors = () => createClient(ExecutorService, transport);

  it("shows a run as REST does, field by field", async () => {
    const { run } = await pipelines().getRun({ run: team.run }, bearer(admin));
    if (run === undefined) throw new Error("no run");
    const rest = await service.ask("GET", `/v1/pipeline-runs/${team.run}`);
    const json = toJson(RunSchema, run, { useProtoFieldName: true });
    const { json: expected } = rest;
    for (const artifact of expected.artifacts) delete artifact.metadata;
    const shown = bare(json) as { artifacts: { metadata?: unknown }[] };
    for (const artifact of shown.artifacts) delete artifact.metadata;
    expect(shown).toEqual(bare(expected));
  });

  it("lists, filters and turns pages", async () => {
    const first = await pipelines().listPipelines({ limit: 1 }, bearer(admin));
    expect([first.items.length, typeof first.nextCursor]).toEqual([1, "string"]);
    const second = await pipelines().listPipelines(
      { limit: 1, ...(first.nextCursor === undefined ? {} : { cursor: first.nextCursor }) },
      bearer(admin),
    );
    expect(second.items[0]?.id).not.toBe(first.items[0]?.id);
    const runs = await pipelines().listRuns({ project: "ours", status: "failed" }, bearer(admin));
    expect(runs.items.map(({ id }) => id)).toEqual([team.run]);
    const { pipeline } = await pipelines().getPipeline({ pipeline: "ours" }, bearer(admin));
    expect(pipeline?.id).toBe(team.pipeline);
    const { items } = await artifacts().listArtifacts({ run: team.run }, bearer(admin));
    expect(items.map(({ id }) => id)).toEqual([team.artifact]);
    const { why } = await pipelines().explainRun({ run: team.run }, bearer(admin));
    expect(why).toMatchObject({ runId: team.run, status: "failed" });
  });

  it("streams what is recorded of a run to its end, from where it is asked", async () => {
    const events = await all(pipelines().watchRun({ run: team.run }, bearer(admin)));
    const rest = await service.ask("GET", `/v1/pipeline-runs/${team.run}/events`);
    expect(events.map(({ transition: one }) => [Number(one?.seq), one?.entity, one?.to, one?.cause])).toEqual(
      rest.json.items.map((one: { seq: number; entity: string; to: string; cause: string }) => [
        one.seq,
        one.entity,
        one.to,
        one.cause,
      ]),
    );
    const late = await all(pipelines().watchRun({ run: team.run, after: 3n }, bearer(admin)));
    expect(late[0]?.transition?.seq).toBe(4n);
  });

  it("makes, changes and removes projects and pipelines, and says who asks", async () => {
    const headers = { headers: { ...bearer(admin).headers, "idempotency-key": newId() } };
    const asked = { name: `of ${_name}`, description: "text" };
    const { project } = await projects().createProject(asked, headers);
    expect((await projects().createProject(asked, headers)).project?.id).toBe(project?.id);
    const rest = await service.ask("GET", `/v1/projects/${project?.id}`);
    expect(bare(toJson(ProjectSchema, project as never, { useProtoFieldName: true }))).toEqual(
      bare(rest.json),
    );
    const renamed = await projects().updateProject(
      { project: asked.name, name: `renamed ${_name}` },
      bearer(admin),
    );
    expect(renamed.project).toMatchObject({ id: project?.id, description: "text" });
    const { items } = await projects().listProjects({ limit: 1 }, bearer(admin));
    expect(items.map(({ id }) => id)).toEqual([project?.id]);

    const { local } = service.bench;
    const of = { project_id: project?.id ?? "", clone_url: "https://git.example/app.git" };
    const { id: repository_id } = await local.repositories.create(of);
    const { id: pipeline } = await local.pipelines.create({ repository_id, name: "app" });
    const updated = await pipelines().updatePipeline({ pipeline, name: "site" }, bearer(admin));
    expect(updated.pipeline).toMatchObject({ id: pipeline, name: "site", triggerType: "manual" });
    const occupied = await errorOf(projects().removeProject({ project: project?.id ?? "" }, bearer(admin)));
    expect([occupied.code, problemOf(occupied)?.code]).toEqual([Code.FailedPrecondition, "conflict"]);
    expect(problemOf(occupied)?.detail).toContain("1 pipeline (site), 1 repository");
    await pipelines().removePipeline({ pipeline: `renamed ${_name}/site` }, bearer(admin));
    await projects().removeProject({ project: `renamed ${_name}`, force: true }, bearer(admin));
    const gone = await errorOf(projects().getProject({ project: project?.id ?? "" }, bearer(admin)));
    expect(gone.code).toBe(Code.NotFound);

    const { caller } = await projects().getCaller({}, bearer(admin));
    expect(caller).toMatchObject({ name: "admin", scope: "admin" });
    expect(caller?.projectId).toBeUndefined();
  });

  it("says what is wrong with the whole problem, in the same words as REST", async () => {
    const error = await errorOf(pipelines().getRun({ run: newId() }, bearer(admin)));
    const rest = await service.ask(
      "GET",
      `/v1/pipeline-runs/${problemOf(error)?.detail.match(/[0-9a-f-]{36}/)?.[0]}`,
    );
    expect(error.code).toBe(Code.NotFound);
    expect(problemOf(error)).toMatchObject({
      code: "not_found",
      status: 404,
      detail: rest.json.detail,
      title: rest.json.title,
    });
    expect(problemOf(error)?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    const unnamed = await errorOf(pipelines().getRun({ run: "" }, bearer(admin)));
    expect([unnamed.code, problemOf(unnamed)?.place]).toEqual([Code.InvalidArgument, "run"]);
    const limit = await errorOf(pipelines().listRuns({ limit: 0 }, bearer(admin)));
    expect(limit.code).toBe(Code.InvalidArgument);
    const status = await errorOf(pipelines().listRuns({ status: "broken" }, bearer(admin)));
    expect(problemOf(status)?.place).toBe("status");
    const log = await errorOf(
      all(pipelines().readLog({ offset: -1n, executionId: team.execution }, bearer(admin))),
    );
    expect(log.code).toBe(Code.InvalidArgument);
  });

  it("does once what is asked with one idempotency-key", async () => {
    const headers = { ...bearer(admin).headers, "idempotency-key": newId() };
    const first = await pipelines().triggerRun({ pipeline: "ours" }, { headers });
    const again = await pipelines().triggerRun({ pipeline: "ours" }, { headers });
    expect(again.run?.id).toBe(first.run?.id);
    const mismatch = await errorOf(pipelines().triggerRun({ pipeline: "theirs" }, { headers }));
    expect(problemOf(mismatch)?.code).toBe("idempotency_mismatch");
    const fresh = await pipelines().triggerRun({ pipeline: "ours" }, bearer(admin));
    expect(fresh.run?.id).not.toBe(again.run?.id);
  });

  it("ends a stream when its caller goes, and a call when its time is over", async () => {
    const { run } = await pipelines().triggerRun({ pipeline: "ours" }, bearer(admin));
    const gone = new AbortController();
    const seen: unknown[] = [];
    const error = await errorOf(
      (async () => {
        const watching = pipelines().watchRun(
          { run: run?.id ?? "" },
          { ...bearer(admin), signal: gone.signal },
        );
        for await (const event of watching) {
          seen.push(event);
          gone.abort();
        }
      })(),
    );
    expect([error.code, seen.length > 0]).toEqual([Code.Canceled, true]);
    const late = await errorOf(
      all(pipelines().watchRun({ run: run?.id ?? "" }, { ...bearer(admin), timeoutMs: 200 })),
    );
    expect(late.code).toBe(Code.DeadlineExceeded);
    const { run: canceled } = await pipelines().cancelRun({ run: run?.id ?? "" }, bearer(admin));
    expect(canceled?.cancelRequestedAt).toBeDefined();
  });

  it("carries an attempt from its claim to its end", async () => {
    const app = { name: "app", type: "binary", path: "bin/app", ref: null, required: true } as const;
    const { id: executionId, token } = await service.bench.handOut(team.run, {
      outputs: [app],
      secrets: ["KEY"],
    });
    const mine = bearer(token);
    const by = { executionId, executorId: "pod" };
    const claim = await executors().claimExecution(by, mine);
    expect(claim).toMatchObject({
      executionId,
      command: "make",
      secrets: { KEY: "the key of ours" },
      outputs: [{ name: "app", path: "bin/app", required: true }],
    });
    expect(claim.source).toBeUndefined();
    const theirs = await errorOf(executors().claimExecution({ ...by, executorId: "other" }, mine));
    expect([theirs.code, problemOf(theirs)?.status]).toEqual([Code.FailedPrecondition, 409]);
    expect((await executors().beginExecution(by, mine)).begunAt).toBeDefined();
    expect((await executors().heartbeatExecution(by, mine)).stop).toBeUndefined();
    const line = new TextEncoder().encode("hello\n");
    expect(await executors().appendLog({ ...by, offset: 0n, data: line }, mine)).toMatchObject({
      offset: 6n,
      full: false,
    });
    const bytes = Buffer.alloc(300_000, "x");
    const parts = (async function* () {
      const header = { ...by, name: "app", sha256: sha256(bytes), size: BigInt(bytes.length), mode: 0o755 };
      yield { part: { case: "header" as const, value: header } };
      for (let at = 0; at < bytes.length; at += 100_000)
        yield { part: { case: "data" as const, value: bytes.subarray(at, at + 100_000) } };
    })();
    const kept = await artifacts().uploadArtifact(parts, mine);
    expect(kept).toMatchObject({ name: "app", sha256: sha256(bytes), size: 300_000n });
    const ended = await executors().reportExecution(
      {
        ...by,
        status: "success",
        exitCode: 0,
        logBytes: 6n,
        logSha256: sha256(line),
        artifacts: [{ id: kept.id, sha256: kept.sha256 }],
      },
      mine,
    );
    expect(ended).toMatchObject({ acknowledged: true, logOffset: 6n });
    const source = await errorOf(all(executors().getSource(by, mine)));
    expect(source.code).toBe(Code.NotFound);
    const log = await service.bench.logs.tail(executionId, 5, 100);
    expect(Buffer.from(log).toString()).toBe("hello\n");
  });

  it("takes no upload that is none", async () => {
    const { id: executionId, token } = await service.bench.handOut(team.run, { outputs: [] });
    const header = { executionId, executorId: "pod", name: "app", sha256: "0".repeat(64), size: 1n };
    const send = (...parts: readonly unknown[]) =>
      errorOf(
        artifacts().uploadArtifact(
          (async function* () {
            yield* parts as never[];
          })(),
          bearer(token),
        ),
      );
    const data = { part: { case: "data", value: new Uint8Array(1) } };
    for (const parts of [[], [data], [{ part: { case: "header", value: { ...header, sha256: "x" } } }]])
      expect((await send(...parts)).code).toBe(Code.InvalidArgument);
    expect((await send({ part: { case: "header", value: header } }, data)).code).toBe(
      Code.FailedPrecondition,
    );
  });
});
