/** Requests made from the OpenAPI document, right and nearly right, and what every answer to them must be. */
import { Agent, request } from "node:http";
import fc from "fast-check";
import { type Answer, type Operation, routes, type Service } from "./service.ts";

export interface Generated {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

interface Schema {
  readonly type?: string;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"];
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.constantFrom("", "\0", "a\0b", "\ud800", "🚀", "e\u0301", "..", "%", "__proto__", "a".repeat(1_100)),
);
const hugeNumber = fc.constantFrom(0, -1, 1e9, 2 ** 31, 2 ** 53, 1e308, -0, 0.5);
const anyJson = fc.oneof(fc.jsonValue({ maxDepth: 3 }), anyText, hugeNumber);

/** @param names what is really there, so that many requests come further than to a 404 */
export function requests(names: readonly string[], tokens: readonly string[]): fc.Arbitrary<Generated> {
  const word = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: fc.uuid() },
    { weight: 2, arbitrary: anyText },
    { weight: 1, arbitrary: hugeNumber.map(String) },
  );

  function near(schema: Schema): fc.Arbitrary<unknown> {
    return fc.oneof({ weight: 9, arbitrary: exact(schema) }, { weight: 1, arbitrary: anyJson });
  }

  function exact(schema: Schema): fc.Arbitrary<unknown> {
    if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(near));
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    switch (schema.type) {
      case "object":
        return objectOf(schema.properties ?? {});
      case "array":
        return fc.array(near(schema.items ?? {}), { maxLength: 4 });
      case "boolean":
        return fc.boolean();
      case "integer":
        return fc.oneof(fc.nat(), hugeNumber);
      case "null":
        return fc.constant(null);
      default:
        return word;
    }
  }

  function objectOf(properties: Readonly<Record<string, Schema>>): fc.Arbitrary<unknown> {
    const known = Object.entries(properties).map(([key, schema]) => [key, near(schema)] as const);
    const fields = fc.record(Object.fromEntries(known), { requiredKeys: [] });
    const foreign = fc.dictionary(anyText, anyJson, { maxKeys: 1 });
    return fc
      .tuple(fields, fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, foreign))
      .map(([own, other]) => {
        const both: Record<string, unknown> = { ...other, ...own };
        // It would make the server ask machines that are not ours.
        return both.validate_now === true ? { ...both, validate_now: false } : both;
      });
  }

  const headers = fc.record(
    {
      accept: fc.constantFrom("*/*", "text/event-stream", "application/json", ""),
      range: fc.constantFrom(
        "bytes=0-",
        "bytes=5-2",
        "bytes=-0",
        "bytes=0-1,3-4",
        "bytes=99999999999999999-",
        "x",
      ),
      "if-none-match": fc.constantFrom("*", '"x"', 'W/"x"', ""),
      "last-event-id": fc.constantFrom("1", "-1", "999999999", "99999999999", "x"),
      "idempotency-key": fc.oneof(
        fc.constantFrom("a", "b", "", "a b"),
        fc.uuid(),
        fc.constant("k".repeat(300)),
      ),
      "executor-id": fc.constantFrom("one", "two", "", "a b"),
      "content-digest": fc.constantFrom("sha-256=:x:", `sha-256=:${"A".repeat(43)}=:`, ""),
      "x-request-id": fc.constantFrom("mine", "", "a b", "x".repeat(200)),
      expect: fc.constantFrom("100-continue"),
      "x-forwarded-for": fc.constantFrom("1.2.3.4", "nonsense"),
      "content-type": fc.constantFrom(
        "application/json; charset=latin1",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        ";",
      ),
      authorization: fc.constantFrom("Bearer", "Basic YTpi", "Bearer shp_x", `Bearer shp_${"A".repeat(43)}`),
    },
    { requiredKeys: [] },
  );

  function ofOperation(operation: Operation): fc.Arbitrary<Generated> {
    const part = fc.oneof(
      { weight: 8, arbitrary: word.map((text) => encodeURIComponent(text.toWellFormed())) },
      {
        weight: 1,
        arbitrary: fc.constantFrom("%00", "%zz", "%", "%2f", "%2e%2e", "%ff", "a/b", "//", "%ed%a0%80"),
      },
    );
    const query = fc.dictionary(
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(...operation.query, "limit") },
        { weight: 1, arbitrary: anyText },
      ),
      word,
      { maxKeys: 3 },
    );
    const bodies =
      operation.body === null
        ? fc.oneof(fc.constant(null), operation.hasBody ? anyText : fc.constant(null))
        : near(operation.body).map((body) => JSON.stringify(body));
    const spoilt = fc.oneof(
      anyJson.map((body) => JSON.stringify(body)),
      anyText,
      fc.constantFrom("{", "[", '{"a":'),
    );
    return fc
      .record({
        method: fc.oneof(
          { weight: 9, arbitrary: fc.constant(operation.method) },
          { weight: 1, arbitrary: fc.constantFrom(...methods) },
        ),
        part,
        query: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, query),
        prefix: fc.oneof(
          { weight: 30, arbitrary: fc.constant("") },
          { weight: 1, arbitrary: fc.constantFrom("/", "/v1", "http://x") },
        ),
        token: fc.oneof(
          { weight: 9, arbitrary: fc.constantFrom(...tokens) },
          { weight: 1, arbitrary: fc.constant(null) },
        ),
        more: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, headers),
        body: fc.oneof({ weight: 9, arbitrary: bodies }, { weight: 1, arbitrary: spoilt }),
      })
      .map(({ method, part: id, query: asked, prefix, token, more, body }) => {
        const search = new URLSearchParams();
        for (const [key, value] of Object.entries(asked))
          search.append(key.toWellFormed(), value.toWellFormed());
        const text = search.toString();
        const sent = method === "GET" || method === "HEAD" || body === undefined ? null : body;
        return {
          method,
          path: `${prefix}${operation.path.replace(/\{\w+\}/, id).replace("{name}", "app")}${text === "" ? "" : `?${text}`}`,
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(sent === null ? {} : { "content-type": "application/json" }),
            ...more,
            // Node says the length for some methods only; without it, the body would be the next request.
            ...(sent === null ? {} : { "content-length": String(Buffer.byteLength(sent)) }),
          },
          body: sent,
        };
      });
  }

  return fc.constantFrom(...routes).chain(ofOperation);
}

export interface Sender extends Disposable {
  send(generated: Generated): Promise<Answer>;
}

/** Connections that are used again; a stream is left after its head. */
export function createSender({ api }: Pick<Service, "api">): Sender {
  const { hostname, port } = new URL(api.url);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  return {
    send({ method, path, headers, body }) {
      return new Promise((resolve, reject) => {
        const asked = request({ agent, host: hostname, port, method, path, headers }, (response) => {
          let text = "";
          const done = () => resolve(answerOf(response.statusCode ?? 0, response.headers, text));
          if (response.headers["content-type"] === "text/event-stream") {
            done();
            asked.destroy();
            return;
          }
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("end", done);
          response.on("error", reject);
        });
        asked.on("error", reject);
        asked.end(body ?? undefined);
      });
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function answerOf(status: number, raw: NodeJS.Dict<string | string[]>, text: string): Answer {
  const headers = new Headers(Object.entries(raw).map(([name, value]) => [name, String(value)]));
  const isJson = text !== "" && /json/.test(headers.get("content-type") ?? "");
  return { status, headers, text, json: isJson ? JSON.parse(text) : null };
}

/** Why the answer is none that a server may give, or null. */
export function faultOf({ method, path }: Generated, answer: Answer): string | null {
  const { status, headers, json } = answer;
  if (status >= 500 && status !== 503) return `status ${status}: ${answer.text}`;
  const isProblem = headers.get("content-type") === "application/problem+json; charset=utf-8";
  if (status >= 400 && !isProblem) return `status ${status} is no problem document`;
  if (method === "HEAD") return answer.text === "" ? null : "an answer to HEAD has a body";
  if (status >= 400) return json?.status === status && typeof json.code === "string" ? null : "no problem";
  const [bare = ""] = path.replace("http://x", "").split("?", 1);
  const route = routes.find((one) => one.method === method && one.pattern.test(bare));
  return route === undefined ? `there is no ${method} ${bare}` : route.fault(answer);
}

/** Sends so many requests, thirty at a time. @throws where an answer is at fault, with the least request that shows it */
export async function campaign(service: Service, count: number): Promise<void> {
  const { bench } = service;
  const [ours, theirs] = [await bench.team("ours"), await bench.team("theirs")];
  const token = async (scope: "admin" | "trigger", project_id: string | null) =>
    (await bench.local.tokens.create({ name: scope, scope, project_id })).token;
  const tokens = [
    await token("admin", null),
    await token("admin", theirs.project),
    await token("trigger", null),
    ours.attemptToken,
    theirs.attemptToken,
  ];
  const names = [...Object.values(ours), ...Object.values(theirs), "ours", "latest", "1", "#1"];
  using sender = createSender(service);
  const batches = fc.array(requests(names, tokens), { minLength: atOnce, maxLength: atOnce });
  const property = fc.asyncProperty(batches, async (batch) => {
    const faults = await Promise.all(batch.map(async (one) => faultOf(one, await sender.send(one))));
    const found = faults.filter((fault) => fault !== null);
    if (found.length > 0) throw new Error(found.join("\n"));
  });
  await fc.assert(property, { numRuns: Math.ceil(count / atOnce) });
  const { status } = await service.ask("GET", "/healthz");
  if (status !== 200) throw new Error(`the server answers ${status} afterwards`);
}

const atOnce = 30;
