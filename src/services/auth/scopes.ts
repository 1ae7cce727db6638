/**
 * Table of the rights that each operation needs. Authorization, route documentation and matrix tests use it. `global`:
 * the operation concerns all projects, so a token for one project is not enough.
 */
import type { Scope } from "../../domain/index.ts";

export interface OperationNeeds {
  readonly scope: Scope;
  readonly reach: "project" | "global";
  readonly audit: "audited" | "not";
}

const reads = { scope: "read", reach: "project", audit: "not" } as const;
const triggers = { scope: "trigger", reach: "project", audit: "audited" } as const;
const administers = { scope: "admin", reach: "project", audit: "audited" } as const;
const governs = { scope: "admin", reach: "global", audit: "audited" } as const;

export const operationNeeds = {
  "projects.create": governs,
  "projects.get": reads,
  "projects.list": reads,
  "projects.update": administers,
  "projects.remove": governs,
  "repositories.create": administers,
  "repositories.get": reads,
  "repositories.list": reads,
  "repositories.update": administers,
  "repositories.remove": administers,
  "repositories.check": administers,
  "pipelines.create": administers,
  "pipelines.get": reads,
  "pipelines.list": reads,
  "pipelines.update": administers,
  "pipelines.remove": administers,
  "runs.trigger": triggers,
  "runs.list": reads,
  "runs.get": reads,
  "runs.events": reads,
  "runs.why": reads,
  "runs.cancel": triggers,
  "runs.retry": triggers,
  "logs.read": reads,
  "artifacts.get": reads,
  "artifacts.download": reads,
  "deployments.list": reads,
  "deployments.resolve": administers,
  "tokens.create": administers,
  "tokens.list": { ...administers, audit: "not" },
  "tokens.revoke": administers,
  "secrets.put": administers,
  "secrets.list": { ...administers, audit: "not" },
  "secrets.remove": administers,
  "secrets.rotate": governs,
  "registries.put": administers,
  "registries.list": { ...administers, audit: "not" },
  "registries.remove": administers,
  "caller.get": reads,
  "audit.list": { ...administers, audit: "not" },
  "metrics.read": { ...reads, reach: "global" },
  "local.run": governs,
} as const satisfies Record<string, OperationNeeds>;

export type Operation = keyof typeof operationNeeds;
