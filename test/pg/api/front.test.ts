/** The page at the server's address: open to everybody, and its links lead somewhere. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Service, startService } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

const ask = (path: string) => service.ask("GET", path, { token: null });

it("says what this is to a browser without a token, and links to what is there", async () => {
  const page = await ask("/");
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.text).toContain("This is a Shipinator server");
  const links = [...page.text.matchAll(/href="([^"]+)"/g)].map(([, address = ""]) => address);
  expect(links).toEqual(["docs", "openapi.json", "healthz", "readyz"]);
  for (const link of links) expect([link, (await ask(`/${link}`)).status]).toEqual([link, 200]);
});

it("lets the browser run nothing and load nothing", async () => {
  const policy = (await ask("/")).headers.get("content-security-policy") ?? "";
  expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+';/);
});
