/** The OpenAPI document, made from the routes as they are. */
import swagger from "@fastify/swagger";
import Fastify from "fastify";
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { App } from "../../src/api/rest/context.ts";
import { addRoutes } from "../../src/api/rest/rest.ts";
import { operationNeeds } from "../../src/services/index.ts";

const app: App = Fastify().withTypeProvider<ZodTypeProvider>();
app.setValidatorCompiler(() => () => true);
app.setSerializerCompiler(() => JSON.stringify);
await app.register(swagger, {
  openapi: {
    openapi: "3.1.0",
    info: {
      title: "Shipinator",
      version: "1",
      description:
        "Build, test and deploy as explicit, persisted state machines. Errors are RFC 9457 problems.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "shp_…, made by an admin." },
        execution: {
          type: "http",
          scheme: "bearer",
          description: "she_…, given to the executor of an attempt.",
        },
      },
    },
  },
  transform: (route) => {
    const shown = jsonSchemaTransform(route);
    const access = route.route.config?.access ?? "open";
    if (access === "open") return { ...shown, schema: { ...shown.schema, security: [] } };
    if (access === "execution")
      return { ...shown, schema: { ...shown.schema, security: [{ execution: [] }] } };
    const { scope } = operationNeeds[access];
    return { ...shown, schema: { ...shown.schema, security: [{ token: [] }], "x-scope": scope } };
  },
  transformObject: jsonSchemaTransformObject,
  exposeHeadRoutes: false,
});
await app.register((routes, _options, done) => {
  addRoutes(routes.withTypeProvider<ZodTypeProvider>(), {
    streams: {
      count: 0,
      admit: () => () => undefined,
      open: () => {
        throw new Error("nothing is served here");
      },
    },
    version: "",
    ready: async () => true,
    metrics: async () => ({ type: "", text: "" }),
    stopping: new AbortController().signal,
  });
  done();
});
await app.ready();
const document = app.swagger();
// Each named schema comes twice, as what is sent and as what is taken; only those that something refers to stay.
const text = JSON.stringify(document.paths);
const schemas = Object.entries(document.components?.schemas ?? {}).filter(
  ([name]) => !name.endsWith("Input") || text.includes(`#/components/schemas/${name}"`),
);
const components = { ...document.components, schemas: Object.fromEntries(schemas) };
process.stdout.write(`${JSON.stringify({ ...document, components }, null, 2)}\n`);
await app.close();
