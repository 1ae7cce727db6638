import { createHash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ExecutionSpec } from "../../../src/domain/index.ts";
import type { HandedOut, Team } from "../operations-bench.ts";
import { type Answer, type Service, startService } from "./service.ts";

let service: Service;
let team: Team;
let execution: HandedOut;
beforeAll(async () => {
  service = await startService();
  team = await service.bench.team("ours");
});
afterAll(() => service[Symbol.asyncDispose]());
beforeEach(async () => {
  execution = await handOut();
});

const app = { name: "app", type: "binary", path: "bin/app", ref: null, required: true } as const;
const handOut = (more: Partial<ExecutionSpec> = {}) =>
  service.bench.handOut(team.run, { outputs: [app], ...more });
const store = () => service.bench.fixture.store.reports;
const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest();

interface Said {
  readonly by?: string | null;
  readonly of?: HandedOut;
  readonly body?: unknown;
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

async function say(
  what: string,
  { by = "pod-1", of = execution, method = "POST", headers = {}, ...sent }: Said = {},
) {
  const { id, token } = of;
  return await service.ask(method, `/v1/executions/${id}/${what}`, {
    token,
    headers: { ...(by === null ? {} : { "executor-id": by }), ...headers },
    ...sent,
  });
}

async function claimAndBegin(): Promise<void> {
  expect((await say("claim")).status).toBe(200);
  expect((await say("begin")).status).toBe(200);
}

const report = (body: object, more: Said = {}) => say("status", { body, ...more });

const log = (offset: number, raw: string, more: Said = {}) =>
  say(`logs?offset=${offset}`, { method: "PUT", raw, ...more });

const upload = (raw: string, more: Said = {}, name = "app") =>
  say(`artifacts/${name}`, {
    method: "PUT",
    raw,
    headers: { "content-digest": `sha-256=:${sha256(raw).toString("base64")}:` },
    ...more,
  });

const shown = ({ status, json }: Answer) => [status, json?.code ?? json];

describe("an attempt that is carried out elsewhere", () => {
  it("is claimed with all that it takes, begins, and ends well", async () => {
    const secret = await handOut({ secrets: ["KEY"], env: { A: "b" }, timeoutSeconds: 60, outputs: [app] });
    const claim = await say("claim", { of: secret });
    expect(claim.json).toMatchObject({
      execution_id: secret.id,
      attempt: 1,
      command: "make",
      env: { CI: "true", SHIPINATOR_EXECUTION_ID: secret.id, A: "b" },
      secrets: { KEY: "the key of ours" },
      timeout_seconds: 60,
      outputs: [app],
      source: null,
    });
    expect((await say("claim", { of: secret })).json).toEqual(claim.json);
    const begin = await say("begin", { of: secret });
    expect((await say("begin", { of: secret })).json).toEqual(begin.json);
    expect((await say("heartbeat", { of: secret })).json).toEqual({ stop: null });
    expect((await log(0, "hello ", { of: secret })).json).toEqual({ offset: 6, full: false });
    expect((await log(6, "world", { of: secret })).json).toEqual({ offset: 11, full: false });
    const kept = (await upload("binary", { of: secret })).json;
    const said = {
      status: "success",
      exit_code: 0,
      log_bytes: 11,
      log_sha256: sha256("hello world").toString("hex"),
      artifacts: [{ id: kept.id, sha256: kept.sha256 }],
    };
    const first = await report(said, { of: secret });
    expect(first.json).toEqual({ acknowledged: true, log_offset: 11, stop: null });
    expect((await report(said, { of: secret })).json).toEqual(first.json);
    const row = await store().get(secret.id);
    expect(row).toMatchObject({ final_status: "success", log_complete: true, claimed_by: "pod-1" });
  });

  it("is one executor's alone", async () => {
    await say("claim");
    for (const [what, body] of [
      ["claim"],
      ["begin"],
      ["heartbeat"],
      ["status", { status: "failed" }],
    ] as const)
      expect([what, ...shown(await say(what, { by: "pod-2", body }))]).toEqual([what, 409, "conflict"]);
    expect(shown(await log(0, "x", { by: "pod-2" }))).toEqual([409, "conflict"]);
    expect(shown(await upload("x", { by: "pod-2" }))).toEqual([409, "conflict"]);
    expect((await say("heartbeat", { by: null })).status).toBe(200);
  });

  it("needs a name to be claimed, and the claim for everything else", async () => {
    expect(shown(await say("claim", { by: null }))).toEqual([400, "usage"]);
    for (const what of ["begin", "heartbeat"]) expect(shown(await say(what))).toEqual([409, "conflict"]);
    expect(shown(await report({ status: "failed", exit_code: 1 }))).toEqual([409, "conflict"]);
    expect(shown(await log(0, "x"))).toEqual([409, "conflict"]);
    expect(shown(await upload("x"))).toEqual([409, "conflict"]);
    expect(shown(await say("source", { method: "GET" }))).toEqual([409, "conflict"]);
  });

  it("cannot succeed without its begin, and can fail", async () => {
    await say("claim");
    expect(shown(await report({ status: "success", exit_code: 0 }))).toEqual([409, "conflict"]);
    const answer = await report({ status: "failed", reason: "source_unavailable", message: "no tree" });
    expect(answer.json).toMatchObject({ acknowledged: true });
    expect(shown(await say("begin"))).toEqual([409, "conflict"]);
  });

  it("keeps its first end, and what contradicts it as evidence", async () => {
    await claimAndBegin();
    await report({ status: "failed", exit_code: 2 });
    const late = { status: "success", exit_code: 0 };
    expect(shown(await report(late))).toEqual([409, "conflict"]);
    expect(shown(await report({ status: "failed", exit_code: 3 }))).toEqual([409, "conflict"]);
    expect((await store().get(execution.id))?.report).toMatchObject({ status: "failed", exit_code: 2 });
    const evidence = await store().evidence(execution.id);
    expect(evidence).toMatchObject([
      { said_by: "pod-1", report: late },
      { said_by: "pod-1", report: { status: "failed", exit_code: 3 } },
    ]);
  });

  it("hears that it is to end, does not begin then, and is told when it is over", async () => {
    await say("claim");
    await store().requestStop(execution.id, "canceled", 10);
    expect((await say("heartbeat")).json).toEqual({ stop: { cause: "canceled", grace_seconds: 10 } });
    await store().requestStop(execution.id, "timed_out", 0);
    expect((await report({ status: "running" })).json.stop).toEqual({ cause: "canceled", grace_seconds: 0 });
    expect(shown(await say("begin"))).toEqual([409, "conflict"]);
    await store().close(execution.id, "executor_lost", "unreported");
    for (const what of ["begin", "heartbeat", "claim"]) expect(shown(await say(what))).toEqual([410, "gone"]);
    expect(shown(await report({ status: "canceled" }))).toEqual([409, "conflict"]);
    expect(await store().evidence(execution.id)).toMatchObject([{ report: { status: "canceled" } }]);
  });

  it("ends at once when nobody has claimed it", async () => {
    await store().requestStop(execution.id, "canceled", 10);
    expect(shown(await say("claim"))).toEqual([410, "gone"]);
    expect(await store().get(execution.id)).toMatchObject({ closed_reason: "canceled", begun_at: null });
  });

  it("says what its status is by its words alone", async () => {
    await say("claim");
    const running = await report({ status: "running" });
    expect(shown(running)).toEqual([200, { acknowledged: true, log_offset: 0, stop: null }]);
    expect((await store().get(execution.id))?.begun_at).not.toBeNull();
    for (const wrong of [
      { status: "running", exit_code: 0 },
      { status: "succeeded" },
      { status: "failed", exit_code: 256 },
      { status: "failed", reason: "bad luck" },
      { status: "failed", log_sha256: "x" },
      { status: "failed", colour: "red" },
      {},
    ])
      expect([wrong, ...shown(await report(wrong))]).toEqual([wrong, 400, "usage"]);
  });

  it("ends without beginning when a secret that it names is not there", async () => {
    const other = await handOut({ secrets: ["ABSENT"] });
    expect((await say("claim", { of: other })).json).toMatchObject({
      code: "conflict",
      detail: expect.stringContaining("no secret ABSENT"),
    });
    expect(await store().get(other.id)).toMatchObject({
      final_status: "failed",
      begun_at: null,
      report: { reason: "start_failed" },
    });
  });

  it("is nothing any more a day after its end", async () => {
    await claimAndBegin();
    const said = { status: "failed", exit_code: 1 };
    await report(said);
    await service.bench.fixture.database.execute(
      "alter table execution_reports disable trigger guard_execution_report",
    );
    await service.bench.fixture.database.execute(
      "update execution_reports set reported_at = now() - interval '25 h' where execution_id = $1::uuid",
      [execution.id],
    );
    await service.bench.fixture.database.execute(
      "alter table execution_reports enable trigger guard_execution_report",
    );
    expect(shown(await report(said))).toEqual([410, "gone"]);
    expect(shown(await log(0, "x"))).toEqual([410, "gone"]);
  });
});

describe("its log", () => {
  it("takes the same bytes again, others not, and says where a gap begins", async () => {
    await claimAndBegin();
    expect((await log(0, "abc")).json).toEqual({ offset: 3, full: false });
    expect((await log(0, "abc")).json).toEqual({ offset: 3, full: false });
    expect((await log(1, "bcde")).json).toEqual({ offset: 5, full: false });
    expect(shown(await log(1, "XX"))).toEqual([409, "conflict"]);
    expect((await log(9, "later")).json).toEqual({ offset: 5, full: false });
    expect(Buffer.from(await service.bench.logs.tail(execution.id, 9, 99)).toString()).toBe("abcde");
  });

  it("is kept up to its cap, and whole then", async () => {
    await claimAndBegin();
    const text = "x".repeat(1_500);
    expect((await log(0, text)).json).toEqual({ offset: 1_024, full: true });
    const said = {
      status: "failed",
      exit_code: 1,
      log_bytes: 1_500,
      log_sha256: sha256(text).toString("hex"),
    };
    expect((await report(said)).json).toMatchObject({ acknowledged: true });
  });

  it("is waited for after the end until its bytes have come", async () => {
    await claimAndBegin();
    await log(0, "first ");
    const said = {
      status: "failed",
      exit_code: 1,
      log_bytes: 10,
      log_sha256: sha256("first last").toString("hex"),
    };
    expect((await report(said)).json).toEqual({ acknowledged: false, log_offset: 6, stop: null });
    expect((await store().get(execution.id))?.log_complete).toBeNull();
    expect((await log(6, "last")).json).toEqual({ offset: 10, full: false });
    expect((await report(said)).json).toEqual({ acknowledged: true, log_offset: 10, stop: null });
    expect(shown(await log(10, "more"))).toEqual([409, "conflict"]);
    expect((await log(0, "first last")).status).toBe(200);
  });

  it("takes four MiB at a time, and no offset that is none", async () => {
    await claimAndBegin();
    expect(shown(await log(0, "x".repeat(4_194_305)))).toEqual([413, "payload_too_large"]);
    for (const offset of ["-1", "x", "1.5", ""])
      expect(shown(await say(`logs?offset=${offset}`, { method: "PUT", raw: "x" }))[0]).toBe(
        offset === "" ? 200 : 400,
      );
    expect(shown(await say("logs", { method: "PUT", raw: "x" }))).toEqual([400, "usage"]);
  });
});

describe("an output", () => {
  it("is kept once, under one id", async () => {
    await claimAndBegin();
    const first = await upload("binary");
    expect(first.json).toEqual({
      id: expect.any(String),
      name: "app",
      size: 6,
      sha256: sha256("binary").toString("hex"),
    });
    expect((await upload("binary")).json).toEqual(first.json);
    expect(shown(await upload("other"))).toEqual([409, "conflict"]);
    const [kept] = await store().uploads(execution.id);
    expect(kept).toMatchObject({ artifact_id: first.json.id, metadata: { form: "file", path: "bin/app" } });
  });

  it("is one artifact when it comes several times at once", async () => {
    await claimAndBegin();
    const answers = await Promise.all(Array.from({ length: 5 }, () => upload("binary")));
    expect(new Set(answers.map(({ status, json }) => `${status} ${json.id}`)).size).toBe(1);
  });

  it("must be declared, be what its sender says, and come before the end", async () => {
    await claimAndBegin();
    expect(shown(await upload("x", {}, "other"))).toEqual([404, "not_found"]);
    expect(shown(await upload("x", { headers: {} }))).toEqual([400, "usage"]);
    expect(shown(await upload("x".repeat(1_000_001)))).toEqual([413, "payload_too_large"]);
    const digest = `sha-256=:${sha256("y").toString("base64")}:`;
    expect(shown(await upload("x", { headers: { "content-digest": digest } }))).toEqual([400, "usage"]);
    expect(await store().uploads(execution.id)).toEqual([]);
    await report({ status: "failed", exit_code: 1 });
    expect(shown(await upload("x"))).toEqual([409, "conflict"]);
  });

  it("leaves nothing when it is cut short", async () => {
    await claimAndBegin();
    const { hostname, port } = new URL(service.api.url);
    const sent = request({
      hostname,
      port,
      method: "PUT",
      path: `/v1/executions/${execution.id}/artifacts/app`,
      headers: {
        authorization: `Bearer ${execution.token}`,
        "executor-id": "pod-1",
        "content-length": "1000000",
        "content-digest": `sha-256=:${sha256("z").toString("base64")}:`,
      },
    });
    sent.on("error", () => undefined);
    sent.write("x".repeat(1_000));
    await once(sent, "socket").catch(() => undefined);
    await new Promise((resolve) => sent.write("y", resolve));
    sent.destroy();
    expect((await upload("whole")).status).toBe(200);
    expect(await store().uploads(execution.id)).toHaveLength(1);
  });
});

it("stays in order whatever is said by whom and when", async () => {
  const who = fc.constantFrom("a", "b");
  const step = fc.oneof(
    fc.record({ what: fc.constantFrom("claim", "begin", "heartbeat"), who }),
    fc.record({
      what: fc.constant("status"),
      who,
      body: fc.constantFrom(
        { status: "running" },
        { status: "success", exit_code: 0 },
        { status: "failed", exit_code: 1 },
        { status: "canceled" },
      ),
    }),
    fc.record({ what: fc.constantFrom("stop", "lose"), who }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const of = await handOut({ outputs: [] });
      let [claimant, stopped, closed, begun]: [string | null, boolean, boolean, boolean] = [
        null,
        false,
        false,
        false,
      ];
      let final: string | null = null;
      for (const one of steps) {
        if (one.what === "stop") {
          await store().requestStop(of.id, "canceled", 1);
          stopped = true;
          if (claimant === null) closed = true;
          continue;
        }
        if (one.what === "lose") {
          closed = (await store().close(of.id, "executor_lost", "unreported")) || closed;
          continue;
        }
        const body = "body" in one ? one.body : undefined;
        const { status } = await say(one.what, { by: one.who, of, body });
        const open = !closed && final === null;
        const mine = claimant === one.who;
        const said = JSON.stringify(body ?? null);
        const ends = body !== undefined && body.status !== "running";
        const expected =
          one.what === "claim"
            ? open && (mine || (claimant === null && !stopped))
            : one.what === "begin"
              ? open && mine && (begun || !stopped)
              : one.what === "heartbeat" || body?.status === "running"
                ? open && mine
                : mine && (open ? begun || body?.status !== "success" : final === said && !closed);
        expect([one, status === 200]).toEqual([one, expected]);
        expect(status).toBeLessThan(500);
        if (status !== 200) continue;
        if (one.what === "claim") claimant = one.who;
        if (one.what === "begin" || (body?.status === "running" && !stopped)) begun = true;
        if (ends) final = said;
      }
      const row = await store().get(of.id);
      expect([row?.claimed_by ?? null, row?.begun_at !== null]).toEqual([claimant, begun]);
      expect([row?.final_status !== null, row?.closed_at !== null]).toEqual([
        final !== null,
        closed && final === null,
      ]);
    }),
    { numRuns: 150 },
  );
});
