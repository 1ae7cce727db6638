import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Service, startService } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

const json = { "content-type": "application/json" };

describe("a request that is not understood", () => {
  it.each([
    ["no JSON", { raw: "{", headers: json }, 400, "usage"],
    ["an empty body that was said to be JSON", { raw: "", headers: json }, 400, "usage"],
    ["a list for an object", { body: [] }, 400, "usage"],
    ["an unknown field", { body: { name: "a", nmae: "b" } }, 400, "usage"],
    ["a wrong type", { body: { name: 7 } }, 400, "usage"],
    ["a missing field", { body: {} }, 400, "usage"],
    ["an empty name", { body: { name: "" } }, 400, "usage"],
    ["a name of spaces", { body: { name: " a" } }, 400, "usage"],
    ["a name with a line end", { body: { name: "a\nb" } }, 400, "usage"],
    ["a name with NUL", { body: { name: "a\0b" } }, 400, "usage"],
    ["half a surrogate pair", { raw: '{"name":"\\ud800"}', headers: json }, 400, "usage"],
    ["a key that would poison", { raw: '{"name":"a","__proto__":{"x":1}}', headers: json }, 400, "usage"],
    [
      "another form",
      { raw: "name=a", headers: { "content-type": "application/x-www-form-urlencoded" } },
      415,
      "unsupported_media_type",
    ],
    ["a body of 2 MiB", { body: { name: "a".repeat(2 << 20) } }, 413, "payload_too_large"],
  ] as const)("%s", async (_what, asking, status, code) => {
    const answer = await service.ask("POST", "/v1/projects", asking);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    expect(answer.json).toMatchObject({ instance: "/v1/projects", request_id: expect.any(String) });
    expect(answer.text).not.toMatch(/\bat .*\.[tj]s:\d/);
  });

  it.each([
    "/v1/projects?limit=0",
    "/v1/projects?limit=1000000000",
    "/v1/projects?limit=x",
    "/v1/projects?limit=1&limit=2",
    "/v1/projects?cursor=nonsense",
    "/v1/projects?unknown=1",
    "/v1/pipeline-runs?status=lost",
    "/v1/pipeline-runs?since=yesterday",
    "/v1/pipeline-runs?ref=main",
    "/v1/pipeline-runs/latest/events?after=-1",
    "/v1/projects/%zz",
  ])("%s", async (path) => {
    const answer = await service.ask("GET", path);
    expect([answer.status, answer.json.code]).toEqual([400, "usage"]);
  });

  it("to nowhere", async () => {
    for (const path of ["/v1", "/v1/projects/", "/v2/projects", "/v1/projects/../../etc/passwd"]) {
      const answer = await service.ask("GET", path);
      expect([path, answer.status, answer.json.code]).toEqual([path, 404, "not_found"]);
    }
  });

  it.each([
    ["PUT", "/v1/projects", "GET, HEAD, POST"],
    ["POST", "/v1/pipeline-runs/latest?x=1", "GET, HEAD"],
    ["GET", "/v1/pipeline-runs/latest/cancel", "POST"],
    ["DELETE", "/openapi.json", "GET, HEAD"],
    ["OPTIONS", "/healthz", "GET, HEAD"],
  ])("by a method that the path does not take: %s %s", async (method, path, allow) => {
    const answer = await service.ask(method, path);
    expect([answer.status, answer.json.code, answer.headers.get("allow")]).toEqual([
      405,
      "method_not_allowed",
      allow,
    ]);
    expect(answer.json.remedy).toBe(`It takes ${allow}.`);
  });

  it.each([
    ["/v1/projects", 405, "GET, HEAD, POST"],
    ["/shipinator.v1.PipelineService/GetRun", 405, "GET, POST"],
    ["/nothing", 404, null],
  ])("by QUERY without a body: %s is a %i", async (path, status, allow) => {
    const answer = await wire(`QUERY ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(/^allow: (.*)$/im.exec(answer)?.[1] ?? null).toBe(allow);
  });

  it.each(["/healthz", "/nothing", "/v1/projects", "/grpc.health.v1.Health/Check"])(
    "with two Host lines is refused: %s",
    async (path) => {
      const answer = await wire(`POST ${path} HTTP/1.1\r\nHost: a\r\nhost: a\r\nContent-Length: 0\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  it.each(["text/plain", "text/xml", "multipart/form-data; boundary=x", "foo", "application/jsonx"])(
    "with a body of type %s is a 415",
    async (type) => {
      const asked = { raw: "{}", headers: { "content-type": type } };
      const { status, json: problem } = await service.ask("POST", "/v1/projects", asked);
      expect([status, problem.code]).toEqual([415, "unsupported_media_type"]);
    },
  );

  it("takes a cursor for its own list alone", async () => {
    for (const name of ["one", "two"]) await service.ask("POST", "/v1/projects", { body: { name } });
    const { json: page } = await service.ask("GET", "/v1/projects?limit=1");
    const next = `cursor=${page.next_cursor}`;
    expect((await service.ask("GET", `/v1/projects?limit=1&${next}`)).json.items).toHaveLength(1);
    expect((await service.ask("GET", `/v1/tokens?${next}`)).status).toBe(400);
  });

  it("is answered on the wire also where it is no HTTP", async () => {
    for (const text of [
      "GET /healthz\r\n\r\n",
      "nonsense\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
      "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ]) {
      const answer = await wire(text);
      expect(answer).toMatch(/^HTTP\/1\.1 (200|4\d\d) /);
    }
    expect((await service.ask("GET", "/healthz")).status).toBe(200);
  });
});

/** Sends bytes and reads what comes until the other side is done or has answered. */
function wire(text: string): Promise<string> {
  const { hostname, port } = new URL(service.api.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (answer.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("a request's id", () => {
  it("is taken over and given back, or made", async () => {
    const named = await service.ask("GET", "/healthz", { headers: { "x-request-id": "mine-1" } });
    expect(named.headers.get("x-request-id")).toBe("mine-1");
    const made = await service.ask("GET", "/healthz", { headers: { "x-request-id": "not one" } });
    expect(made.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("an Idempotency-Key", () => {
  const make = (key: string, name: string) =>
    service.ask("POST", "/v1/projects", { body: { name }, headers: { "idempotency-key": key } });

  it("makes one thing of the same request, and gives the same answer", async () => {
    const [first, again] = [await make("k1", "keyed"), await make("k1", "keyed")];
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
  });

  it("is refused for another request, and is another caller's own", async () => {
    expect((await make("k1", "other")).json).toMatchObject({ status: 422, code: "idempotency_mismatch" });
    const { token } = await service.bench.local.tokens.create({ name: "second", scope: "admin" });
    const headers = { "idempotency-key": "k1" };
    const theirs = await service.ask("POST", "/v1/projects", { body: { name: "theirs" }, headers, token });
    expect(theirs.status).toBe(201);
  });

  it("makes one thing of many requests at once", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => make("k2", "at once")));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201).length).toBeGreaterThan(0);
    expect(statuses.filter((status) => status !== 201 && status !== 409)).toEqual([]);
    expect(new Set(answers.flatMap(({ json: made }) => made.id ?? [])).size).toBe(1);
  });

  it("is free again after a refusal", async () => {
    const refused = await make("k3", "");
    expect(refused.status).toBe(400);
    expect((await make("k3", "fine now")).status).toBe(201);
  });

  it("is free at once when the process of its first request is gone, and makes the same thing", async () => {
    const { database, store } = service.bench.fixture;
    const other = await store.instances.register({
      dataDirectory: "/elsewhere",
      host: "other",
      bootId: "other",
      pidNamespace: "other",
      pid: 1,
      pidStartTime: "1",
      leaseSeconds: 60,
    });
    const { id } = (await make("k5", "cut off")).json;
    await database.execute(
      `update idempotency_keys k
       set status = null, answer = null, holder_id = $1::uuid, holder_epoch = $2::integer
       where k.key = 'k5'`,
      [other.id, other.epoch],
    );
    expect((await make("k5", "cut off")).json).toMatchObject({ status: 409, details: { retry_after: 1 } });
    await store.instances.end({ instance: other.id, epoch: other.epoch });
    expect((await make("k5", "cut off")).json).toMatchObject({ id, name: "cut off" });
  });

  it("gives a token again to who asked for it, and keeps it sealed", async () => {
    const ask = () =>
      service.ask("POST", "/v1/tokens", {
        body: { name: "twice", scope: "read" },
        headers: { "idempotency-key": "k4" },
      });
    const [first, again] = [await ask(), await ask()];
    expect(again.json.token).toBe(first.json.token);
    const kept = await service.bench.fixture.database.query<{ text: string }>(
      "select k::text as text from idempotency_keys k",
    );
    expect(kept.filter(({ text }) => text.includes("shp_"))).toEqual([]);
  });
});

describe("a token", () => {
  it("is shown once, and stands nowhere in the database", async () => {
    const { json: made } = await service.ask("POST", "/v1/tokens", { body: { name: "seen", scope: "read" } });
    expect(made.token).toMatch(/^shp_[\w-]{43}$/);
    const listed = await service.ask("GET", "/v1/tokens");
    expect(listed.text).not.toContain(made.token);
    const dump = await service.bench.fixture.database.query<{ row: string }>(
      "select t::text as row from tokens t union all select a::text from audit_log a",
    );
    expect(dump.filter(({ row }) => row.includes(made.token))).toEqual([]);
  });

  it("that is revoked holds no more, at once", async () => {
    const { json: made } = await service.ask("POST", "/v1/tokens", {
      body: { name: "short", scope: "read" },
    });
    const asked = () => service.ask("GET", "/v1/projects", { token: made.token });
    expect((await asked()).status).toBe(200);
    expect((await service.ask("DELETE", `/v1/tokens/${made.id}`)).json.revoked_at).not.toBeNull();
    expect((await asked()).status).toBe(401);
  });
});
