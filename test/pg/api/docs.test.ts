/** The page of the API: open to everybody, whole, and with nothing from elsewhere. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Service, startService } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

const ask = (path: string, method = "GET") => service.ask(method, path, { token: null });

it("is shown without a token, and everything that it names is there", async () => {
  const page = await ask("/docs");
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = ""]) => address);
  expect(named).toHaveLength(3);
  const types = { css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8" };
  for (const address of named) {
    const { pathname, origin } = new URL(address, `${service.api.url}/docs`);
    expect(origin).toBe(service.api.url);
    const asset = await ask(pathname);
    expect([address, asset.status, asset.headers.get("content-type")]).toEqual([
      address,
      200,
      types[address.endsWith(".css") ? "css" : "js"],
    ]);
    expect(asset.text.length).toBeGreaterThan(100);
  }
});

it("lets the browser take nothing from anywhere else", async () => {
  const policy = (await ask("/docs")).headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/https?:|\*/);
  expect(policy).toContain("script-src 'self';");
});

it("has what it asks for, and nothing besides", async () => {
  const start = await ask("/docs/start.js");
  expect(start.text).toContain('url: "openapi.json"');
  expect((await ask("/openapi.json")).status).toBe(200);
  for (const path of ["/docs/", "/docs/package.json", "/docs/../package.json", "/docs/swagger-ui.js.map"])
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
  expect((await ask("/docs", "POST")).status).toBe(405);
});
