/** The API over real operations, asked over a real connection; and its document, to hold the answers to. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { type Api, type ApiOptions, startApi } from "../../../src/api/index.ts";
import { silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { createServiceBench, type ServiceBench } from "../operations-bench.ts";

export interface Service extends AsyncDisposable {
  readonly bench: ServiceBench;
  readonly api: Api;
  /** Sends it as it is: nothing is added but the token. */
  ask(method: string, path: string, options?: Asking): Promise<Answer>;
}

export interface Asking {
  readonly token?: string | null;
  readonly body?: unknown;
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects and fails where that is not there
  readonly json: any;
}

export async function startService(options: Partial<ApiOptions> = {}): Promise<Service> {
  const bench = await createServiceBench();
  const api = await startApi({
    address: { host: "127.0.0.1", port: 0 },
    tls: null,
    operations: bench.operations,
    version: "1.2.3",
    clock: systemClock,
    log: silentLogger,
    // The tests of authorization fail on purpose, and often.
    logins: { atOnce: 1_000_000, perSecond: 1 },
    ...options,
  });
  const { token: admin } = await bench.local.tokens.create({ name: "admin", scope: "admin" });
  return {
    bench,
    api,
    async ask(method, path, { token = admin, body, raw, headers = {} } = {}) {
      const text = raw ?? (body === undefined ? null : JSON.stringify(body));
      const response = await fetch(`${api.url}${path}`, {
        method,
        body: text,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
      });
      const answer = await response.text();
      const isJson = /json/.test(response.headers.get("content-type") ?? "");
      return {
        status: response.status,
        headers: response.headers,
        text: answer,
        json: isJson && answer !== "" ? JSON.parse(answer) : null,
      };
    },
    async [Symbol.asyncDispose]() {
      await api.stop();
      await bench[Symbol.asyncDispose]();
    },
  };
}

interface Content {
  readonly schema?: object;
}

export interface Route {
  readonly method: string;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly operationId: string;
  /** Null: it is open. */
  readonly scope: "read" | "trigger" | "admin" | "execution" | null;
  readonly hasBody: boolean;
  readonly query: readonly string[];
  /** Why this answer is none of the route's, or null. */
  fault(answer: Answer): string | null;
}

/** A route as the generator of requests sees it. */
export interface Operation extends Route {
  readonly pattern: RegExp;
  /** The schema of its body. */
  readonly body: object | null;
}

interface Described {
  readonly operationId: string;
  readonly "x-scope"?: "read" | "trigger" | "admin";
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Content>> }>>;
}

const document: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: object };
} = JSON.parse(readFileSync(new URL("../../../docs/schema/openapi.json", import.meta.url), "utf8"));

export const routes: readonly Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => routeOf(path, method.toUpperCase(), operation)),
);

function routeOf(path: string, method: string, operation: Described): Operation {
  const schemas = new Map<string, z.ZodType>();
  function schemaOf(schema: object): z.ZodType {
    const text = JSON.stringify(schema).replaceAll("#/components/schemas/", "#/$defs/");
    const known = schemas.get(text) ?? z.fromJSONSchema({ ...JSON.parse(text), $defs: definitions });
    schemas.set(text, known);
    return known;
  }
  return {
    method,
    path,
    operationId: operation.operationId,
    scope: operation["x-scope"] ?? (operation.security?.[0]?.execution === undefined ? null : "execution"),
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]*")}$`),
    body: operation.requestBody?.content["application/json"]?.schema ?? null,
    hasBody: operation.requestBody !== undefined,
    query: (operation.parameters ?? []).flatMap((one) => (one.in === "query" ? [one.name] : [])),
    fault({ status, headers, json }) {
      const { responses } = operation;
      const described = responses[String(status)] ?? responses[`${Math.floor(status / 100)}XX`];
      if (described === undefined) return `status ${status} is not in the document`;
      const type = (headers.get("content-type") ?? "").split(";")[0] ?? "";
      const schema = described.content?.[type]?.schema;
      if (schema === undefined) {
        const bare = type === "" && described.content === undefined;
        return bare ? null : `status ${status} with ${type} is not in the document`;
      }
      if (!type.includes("json")) return null;
      const checked = schemaOf(schema).safeParse(json);
      return checked.success ? null : `status ${status}: ${checked.error.message}`;
    },
  };
}

const definitions: unknown = JSON.parse(
  JSON.stringify(document.components.schemas).replaceAll("#/components/schemas/", "#/$defs/"),
);
