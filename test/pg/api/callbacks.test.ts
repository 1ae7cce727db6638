import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { app, createSpeaker, sha256, shown } from "./speaker.ts";

const { service, execution, store, handOut, say, claimAndBegin, report, log, upload } = createSpeaker();

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
    expect((await store().get(execution().id))?.report).toMatchObject({ status: "failed", exit_code: 2 });
    const evidence = await store().evidence(execution().id);
    expect(evidence).toMatchObject([
      { reported_by: "pod-1", report: late },
      { reported_by: "pod-1", report: { status: "failed", exit_code: 3 } },
    ]);
  });

  it("hears that it is to end, does not begin then, and is told when it is over", async () => {
    await say("claim");
    await store().requestStop(execution().id, "canceled", 10);
    expect((await say("heartbeat")).json).toEqual({ stop: { cause: "canceled", grace_seconds: 10 } });
    await store().requestStop(execution().id, "timed_out", 0);
    expect((await report({ status: "running" })).json.stop).toEqual({ cause: "canceled", grace_seconds: 0 });
    expect(shown(await say("begin"))).toEqual([409, "conflict"]);
    await store().close(execution().id, "executor_lost", "unreported");
    for (const what of ["begin", "heartbeat", "claim"]) expect(shown(await say(what))).toEqual([410, "gone"]);
    expect(shown(await report({ status: "canceled" }))).toEqual([409, "conflict"]);
    expect(await store().evidence(execution().id)).toMatchObject([{ report: { status: "canceled" } }]);
  });

  it("ends at once when nobody has claimed it", async () => {
    await store().requestStop(execution().id, "canceled", 10);
    expect(shown(await say("claim"))).toEqual([410, "gone"]);
    expect(await store().get(execution().id)).toMatchObject({ closed_reason: "canceled", begun_at: null });
  });

  it("says what its status is by its words alone", async () => {
    await say("claim");
    const running = await report({ status: "running" });
    expect(shown(running)).toEqual([200, { acknowledged: true, log_offset: 0, stop: null }]);
    expect((await store().get(execution().id))?.begun_at).not.toBeNull();
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
    await service().bench.fixture.database.execute(
      "alter table execution_reports disable trigger guard_execution_report",
    );
    await service().bench.fixture.database.execute(
      "update execution_reports set reported_at = now() - interval '25 h' where execution_id = $1::uuid",
      [execution().id],
    );
    await service().bench.fixture.database.execute(
      "alter table execution_reports enable trigger guard_execution_report",
    );
    expect(shown(await report(said))).toEqual([410, "gone"]);
    expect(shown(await log(0, "x"))).toEqual([410, "gone"]);
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
