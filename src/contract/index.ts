/**
 * Every type that crosses the wire, once: a schema and the type inferred from it. REST checks requests with it, OpenAPI
 * comes from it, and `npm run check` compares api/v1/shipinator.proto with it. Import types alone where zod need not load.
 */
export * from "./access.ts";
export * from "./callbacks.ts";
export * from "./catalog.ts";
export * from "./deployments.ts";
export type { Wire } from "./fields.ts";
export * from "./parameters.ts";
export * from "./problem.ts";
export * from "./runs.ts";
