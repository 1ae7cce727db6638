/** Logs that executors elsewhere send of runs with secrets: the server masks them, whatever the executor knows. */
import { describe, expect, it } from "vitest";
import { jobOf } from "../../unit/executor/specs.ts";
import type { HandedOut } from "../operations-bench.ts";
import { createSpeaker, sha256, shown } from "./speaker.ts";

const { service, execution, store, handOut, say, claimAndBegin, report, log } = createSpeaker();
const key = "the key of ours";

/** Claimed and begun: its step names KEY, and another one of its run OTHER. */
async function withSecrets(): Promise<HandedOut> {
  const row = await store().get(execution().id);
  if (row === null) throw new Error("there is no execution");
  const of = await handOut({
    job: jobOf({ runId: row.run_id, source: null, runSecrets: ["KEY", "OTHER"] }),
    secrets: ["KEY"],
  });
  for (const what of ["claim", "begin"]) expect((await say(what, { of })).status).toBe(200);
  return of;
}

const kept = async ({ id }: HandedOut) =>
  Buffer.from(await service().bench.logs.tail(id, 99, 9_999)).toString();
const said = (text: string, length = text.length) => ({
  status: "failed",
  exit_code: 1,
  log_bytes: length,
  log_sha256: sha256(text).toString("hex"),
});
const project = async () => {
  const { items } = await service().bench.local.projects.list({});
  return items.find(({ name }) => name === "ours")?.id ?? "";
};

describe("a log with secrets", () => {
  it("is masked by those of the step and of its run, and by their earlier values", async () => {
    const { secrets } = service().bench.local;
    const ours = await project();
    await secrets.put(ours, "OTHER", "the first of 77");
    const of = await withSecrets();
    await secrets.put(ours, "OTHER", "the second of 77");
    await secrets.remove(ours, "OTHER");
    const encoded = Buffer.from("the second of 77").toString("hex");
    const text = `[${key}] [the first of 77] [the second of 77] ${encoded}\n`;
    expect((await log(0, text, { of })).json).toEqual({ offset: text.length, full: false });
    expect((await report(said(text), { of })).json).toMatchObject({ acknowledged: true });
    expect(await kept(of)).toBe("[***] [***] [***] ***\n");
    expect(await store().get(of.id)).toMatchObject({ log_complete: true, log_received: text.length });
  });

  it("is masked where a secret comes in pieces, which are kept nowhere in the clear", async () => {
    const of = await withSecrets();
    const text = `it is ${key}, and the key of`;
    for (let at = 0; at < text.length; at += 3)
      expect((await log(at, text.slice(at, at + 3), { of })).json).toEqual({
        offset: Math.min(text.length, at + 3),
        full: false,
      });
    expect(await kept(of)).toMatch(/^it is \*\*\*, an?d? ?$/);
    const rows = await service().bench.fixture.database.query<{ encrypted: Buffer }>(
      "select m.encrypted from masked_logs m where m.execution_id = $1::uuid",
      [of.id],
    );
    expect(rows.map(({ encrypted }) => encrypted.includes("key"))).toEqual([false]);
    await service().bench.local.secrets.rotate();
    expect((await report(said(text), { of })).json).toEqual({
      acknowledged: true,
      log_offset: text.length,
      stop: null,
    });
    expect(await kept(of)).toBe("it is ***, and the key of");
  });

  it("has offsets and lengths of the executor's own, for what comes again, late or after a gap", async () => {
    const of = await withSecrets();
    await log(0, `1 ${key}\n2 `, { of });
    expect((await log(40, "later", { of })).json).toEqual({ offset: 20, full: false });
    expect((await log(2, `${key}\n2 ${key}`, { of })).json).toEqual({ offset: 35, full: false });
    const text = `1 ${key}\n2 ${key}\nend\n`;
    expect((await report(said(text), { of })).json).toEqual({
      acknowledged: false,
      log_offset: 35,
      stop: null,
    });
    expect((await log(35, "\nend\n", { of })).json).toEqual({ offset: 40, full: false });
    expect((await report(said(text), { of })).json).toMatchObject({ acknowledged: true });
    expect(shown(await log(40, "more", { of }))).toEqual([409, "conflict"]);
    expect((await log(0, text, { of })).status).toBe(200);
    expect(await kept(of)).toBe("1 ***\n2 ***\nend\n");
  });

  it("is still checked by its digest where nothing in it was masked", async () => {
    const of = await withSecrets();
    await log(0, "nothing of it, the ke", { of });
    expect((await report(said("nothing of it, the xx"), { of })).json).toMatchObject({ acknowledged: false });
    const other = await withSecrets();
    await log(0, "nothing of it, the ke", { of: other });
    expect((await report(said("nothing of it, the ke"), { of: other })).json).toMatchObject({
      acknowledged: true,
    });
    expect(await kept(other)).toBe("nothing of it, the ke");
  });

  it("is kept up to its cap, which counts what is kept", async () => {
    const of = await withSecrets();
    const text = `${key} `.repeat(100) + "x".repeat(1_000);
    expect((await log(0, text, { of })).json).toEqual({ offset: 1_600 + 624, full: true });
    expect((await log(2_600, "more", { of })).json).toEqual({ offset: 2_224, full: true });
    expect((await report(said(text), { of })).json).toMatchObject({ acknowledged: true });
    expect(await kept(of)).toBe("*** ".repeat(100) + "x".repeat(624));
  });

  it("is masked once when its bytes come several times at the same time", async () => {
    const of = await withSecrets();
    const text = `${key}\n`.repeat(20);
    await Promise.all(Array.from({ length: 5 }, () => log(0, text, { of })));
    expect(await kept(of)).toBe("***\n".repeat(20));
  });
});

it("a log of a run without secrets is kept byte for byte", async () => {
  await claimAndBegin();
  await log(0, `[${key}]`);
  expect(await kept(execution())).toBe(`[${key}]`);
});
