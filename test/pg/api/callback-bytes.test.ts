import { once } from "node:events";
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { createSpeaker, sha256, shown } from "./speaker.ts";

const { service, execution, store, say, claimAndBegin, report, log, upload } = createSpeaker();

describe("its log", () => {
  it("takes the same bytes again, others not, and says where a gap begins", async () => {
    await claimAndBegin();
    expect((await log(0, "abc")).json).toEqual({ offset: 3, full: false });
    expect((await log(0, "abc")).json).toEqual({ offset: 3, full: false });
    expect((await log(1, "bcde")).json).toEqual({ offset: 5, full: false });
    expect(shown(await log(1, "XX"))).toEqual([409, "conflict"]);
    expect((await log(9, "later")).json).toEqual({ offset: 5, full: false });
    expect(Buffer.from(await service().bench.logs.tail(execution().id, 9, 99)).toString()).toBe("abcde");
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
    expect((await store().get(execution().id))?.log_complete).toBeNull();
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
    const [kept] = await store().uploads(execution().id);
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
    expect(await store().uploads(execution().id)).toEqual([]);
    await report({ status: "failed", exit_code: 1 });
    expect(shown(await upload("x"))).toEqual([409, "conflict"]);
  });

  it("leaves nothing when it is cut short", async () => {
    await claimAndBegin();
    const { hostname, port } = new URL(service().api.url);
    const sent = request({
      hostname,
      port,
      method: "PUT",
      path: `/v1/executions/${execution().id}/artifacts/app`,
      headers: {
        authorization: `Bearer ${execution().token}`,
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
    expect(await store().uploads(execution().id)).toHaveLength(1);
  });
});
