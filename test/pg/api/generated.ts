/** Requests made from the document: right ones, nearly right ones, and nonsense; and what every answer must be. */
import fc from "fast-check";
import { type Answer, type Route, routes, type Service } from "./service.ts";

export interface Asked {
  readonly route: Route;
  readonly method: string;
  readonly path: string;
  readonly body: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Ids and names that are there, so that requests get past the first look-up. */
export type Known = readonly string[];

const nasty = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "",
    "0",
    "-1",
    "latest",
    "..",
    "%00",
    "\0",
    "\ud800",
    "null",
    "__proto__",
    "a".repeat(300),
    "' or 1=1",
  ),
  fc.uuid(),
  fc.integer().map(String),
);

const leaf = fc.oneof(
  fc.constantFrom(
    "read",
    "admin",
    "trigger",
    "build",
    "manual",
    "git",
    "succeeded",
    "main",
    "https://git.example/a.git",
  ),
  nasty,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
);

const fields = fc.constantFrom(
  ...["name", "description", "project_id", "repository_id", "clone_url", "vcs_provider", "default_branch"],
  ...["trigger_type", "ref", "sha", "only", "validate_now", "now", "scope", "expires_at", "outcome", "other"],
);

export function requests(known: Known): fc.Arbitrary<Asked> {
  const value = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...known) }, { weight: 3, arbitrary: leaf });
  const body = fc.oneof(
    fc.dictionary(fields, fc.oneof(value, fc.array(value, { maxLength: 3 })), { maxKeys: 5 }).map(text),
    fc.constantFrom("", "{", "[]", "null", "7", '"a"', '{"a":1,"a":2}', "{}"),
    fc.json({ maxDepth: 2 }),
  );
  return fc
    .record({
      route: fc.constantFrom(...routes),
      method: fc.option(fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), {
        freq: 8,
      }),
      id: value,
      query: fc.dictionary(
        fc.constantFrom(
          "limit",
          "cursor",
          "status",
          "ref",
          "sha",
          "since",
          "project",
          "pipeline",
          "after",
          "offset",
          "x",
        ),
        value,
        { maxKeys: 3 },
      ),
      body: fc.option(body, { freq: 3 }),
      headers: fc.record(
        {
          "idempotency-key": fc.constantFrom("a", "b", "", "x".repeat(300)),
          range: fc.constantFrom("bytes=0-", "bytes=-1", "bytes=9-1", "bytes=0-0,2-2", "lines=1-"),
          "if-none-match": fc.constantFrom("*", '"x"', "W/"),
          "last-event-id": fc.constantFrom("0", "-1", "x"),
          "x-request-id": fc.constantFrom("mine", "not mine", ""),
        },
        { requiredKeys: [] },
      ),
      form: fc.constantFrom("application/json", "text/plain", "application/x-www-form-urlencoded", ""),
    })
    .map(({ route, method, id, query, body: sent, headers, form }) => {
      const path = route.path.replace(/\{\w+\}/, encode(id));
      const search = Object.entries(query)
        .map(([key, one]) => `${key}=${encode(one)}`)
        .join("&");
      const used = method ?? route.method;
      const carries = used !== "GET" && used !== "HEAD";
      return {
        route,
        method: used,
        path: search === "" ? path : `${path}?${search}`,
        body: carries ? sent : null,
        headers: { ...headers, ...(carries && sent !== null && form !== "" ? { "content-type": form } : {}) },
      };
    });
}

const text = (value: unknown) => JSON.stringify(value);
const encode = (value: unknown) => encodeURIComponent(String(value).toWellFormed());

/** Why the answer is none that may be given, or null. */
export function faultOf({ route, method }: Asked, answer: Answer): string | null {
  if (answer.status >= 500 && answer.status !== 503)
    return `status ${answer.status}: ${answer.text.slice(0, 300)}`;
  if (method === "HEAD" || method !== route.method) {
    const known =
      answer.status < 400 || [400, 401, 403, 404, 409, 413, 415, 416, 422].includes(answer.status);
    return known ? null : `status ${answer.status} of ${method}`;
  }
  return route.fault(answer);
}

/** Asks until one answer is wrong, or all are right. */
export async function ask(service: Service, asked: Asked): Promise<void> {
  const { method, path, body, headers } = asked;
  const answer = await service.ask(method, path, { headers, ...(body === null ? {} : { raw: body }) });
  const fault = faultOf(asked, answer);
  if (fault !== null) throw new Error(`${method} ${path} ${body ?? ""} ${text(headers)}: ${fault}`);
}

export async function knownOf(service: Service): Promise<Known> {
  const team = await service.bench.team("known");
  return [...Object.values(team), "known", "latest", "1"];
}
