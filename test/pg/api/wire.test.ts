/** The edges of HTTP, and clients that do not behave. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kernel/index.ts";
import { type Service, startService } from "./service.ts";
import { dial } from "./wire.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

const host = "Host: a\r\n";
const close = "Connection: close\r\n";

async function answered(text: string) {
  using connection = dial(service.api, text);
  const answer = await connection.closed;
  const [head = "", body = ""] = answer.split("\r\n\r\n", 2);
  return {
    status: Number(head.split(" ", 2)[1]),
    head,
    body,
    answers: answer.match(/HTTP\/1\.1 [2-5]\d\d /g)?.length,
  };
}

describe("what is no request is refused as a problem, and the connection closed", () => {
  it.each([
    ["nonsense", "nonsense\r\n\r\n", 400, "usage"],
    ["HTTP/0.9", "GET /healthz\r\n\r\n", 400, "usage"],
    ["HTTP/3.0", `GET /healthz HTTP/3.0\r\n${host}\r\n`, 400, "usage"],
    ["a method that there is not", `BREW /healthz HTTP/1.1\r\n${host}\r\n`, 400, "usage"],
    [
      "two ways to say the length",
      `POST /v1/projects HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      "usage",
    ],
    [
      "two lengths",
      `POST /v1/projects HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
      400,
      "usage",
    ],
    [
      "a length that is none",
      `POST /v1/projects HTTP/1.1\r\n${host}Content-Length: +3\r\n\r\nabc`,
      400,
      "usage",
    ],
    [
      "a coding after chunked",
      `POST /v1/projects HTTP/1.1\r\n${host}Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n`,
      400,
      "usage",
    ],
    [
      "a space before the colon",
      `GET /healthz HTTP/1.1\r\n${host}Content-Length : 3\r\n\r\nabc`,
      400,
      "usage",
    ],
    ["a folded header", `GET /healthz HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`, 400, "usage"],
    ["lines that end bare", "GET /healthz HTTP/1.1\nHost: a\n\n", 400, "usage"],
    ["NUL in a header", `GET /healthz HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, 400, "usage"],
    [
      "headers of 20 KB",
      `GET /healthz HTTP/1.1\r\n${host}X: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "headers_too_large",
    ],
    ["an address of 20 KB", `GET /${"x".repeat(20_000)} HTTP/1.1\r\n${host}\r\n`, 431, "headers_too_large"],
    [
      "20 KB of small headers",
      `GET /healthz HTTP/1.1\r\n${host}${"a:b\r\n".repeat(4_000)}${close}\r\n`,
      431,
      "headers_too_large",
    ],
  ])("%s", async (_what, text, status, code) => {
    const answer = await answered(text);
    expect([answer.status, answer.answers]).toEqual([status, 1]);
    expect(answer.head).toContain("application/problem+json");
    expect(JSON.parse(answer.body)).toMatchObject({ status, code, request_id: expect.any(String) });
  });
});

describe("what is unusual is answered once", () => {
  it.each([
    ["an address with a host", `GET http://a/healthz HTTP/1.1\r\n${host}${close}\r\n`, 200],
    ["a double slash", `GET //healthz HTTP/1.1\r\n${host}${close}\r\n`, 404],
    ["an escaped slash", `GET /v1%2Fversion HTTP/1.1\r\n${host}${close}\r\n`, 404],
    ["NUL in a path", `GET /v1/projects/%00 HTTP/1.1\r\n${host}${close}\r\n`, 401],
    [
      "an upgrade",
      `GET /healthz HTTP/1.1\r\n${host}Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`,
      200,
    ],
    ["OPTIONS of everything", `OPTIONS * HTTP/1.1\r\n${host}${close}\r\n`, 404],
    ["TRACE", `TRACE /healthz HTTP/1.1\r\n${host}${close}\r\n`, 405],
    [
      "two tokens",
      `GET /v1/projects HTTP/1.1\r\n${host}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n${close}\r\n`,
      401,
    ],
    [
      "an expectation that nobody knows",
      `GET /healthz HTTP/1.1\r\n${host}Expect: a-miracle\r\n${close}\r\n`,
      200,
    ],
    ["a tunnel", `CONNECT a:443 HTTP/1.1\r\n${host}\r\n`, 400],
    ["nothing by HEAD", `HEAD /nowhere HTTP/1.1\r\n${host}${close}\r\n`, 404],
    ["HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", 200],
  ])("%s", async (_what, text, status) => {
    const answer = await answered(text);
    expect([answer.status, answer.answers]).toEqual([status, 1]);
    if (text.startsWith("HEAD")) expect(answer.body).toBe("");
    else if (status >= 400) expect(JSON.parse(answer.body)).toMatchObject({ status });
  });

  it("asks for the body that is announced", async () => {
    using connection = dial(
      service.api,
      `POST /v1/projects HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
    );
    await connection.said(/^HTTP\/1.1 100 Continue\r\n\r\n/);
  });
});

describe("HEAD of what can be followed", () => {
  it("is a head alone", async () => {
    const { run, execution } = await service.bench.team("heads");
    for (const path of [`/v1/pipeline-runs/${run}/events`, `/v1/executions/${execution}/logs?follow`]) {
      const answer = await service.ask("HEAD", path, { headers: { accept: "text/event-stream" } });
      expect([answer.status, answer.headers.get("content-type"), answer.text]).toEqual([
        200,
        "text/event-stream",
        "",
      ]);
    }
  });
});

describe("tries without a valid token", () => {
  it("are limited, whoever has one is let in, and time heals", async () => {
    let now = 0;
    await using own = await startService({
      logins: { atOnce: 3, perSecond: 1 },
      clock: { ...systemClock, monotonic: () => now },
    });
    const attempt = () => own.ask("GET", "/v1/projects", { token: "shp_wrong" });
    for (let count = 0; count < 3; count += 1) expect((await attempt()).status).toBe(401);
    const refused = await attempt();
    expect([refused.status, refused.json.code, refused.headers.get("retry-after")]).toEqual([
      429,
      "too_many_requests",
      "1",
    ]);
    expect((await own.ask("GET", "/v1/projects")).status).toBe(200);
    now += 2_000;
    expect((await attempt()).status).toBe(401);
    expect((await attempt()).status).toBe(429);
  });

  it.each([
    [false, "nobody is asked about who stands behind him"],
    [
      true,
      "behind the proxy that was declared each has a limit of his own, by what the proxy says and he does not",
    ],
  ])("with a proxy declared: %s, %s", async (proxy) => {
    await using own = await startService({ proxy, logins: { atOnce: 1, perSecond: 0.001 } });
    const attempt = async (forwarded: string) => {
      const headers = { "x-forwarded-for": forwarded };
      return (await own.ask("GET", "/v1/projects", { token: "shp_wrong", headers })).status;
    };
    expect(await attempt("192.0.2.1")).toBe(401);
    expect(await attempt("192.0.2.1")).toBe(429);
    expect(await attempt("192.0.2.2")).toBe(proxy ? 401 : 429);
    expect(await attempt("192.0.2.3, 192.0.2.1")).toBe(429);
    expect(await attempt("not an address, 192.0.2.4")).toBe(proxy ? 401 : 429);
    expect((await own.ask("GET", "/v1/projects")).status).toBe(200);
  });
});
