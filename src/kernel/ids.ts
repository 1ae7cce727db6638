/**
 * Branded identifiers. Every id is a UUIDv7 in lower-case text form; it carries no order that anybody may rely on
 * (lists sort by `(created_at, id)` or `number`). This file is the only place that makes or brands one.
 */
import { randomFillSync } from "node:crypto";

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

export type ProjectId = Id<"project">;
export type RepositoryId = Id<"repository">;
export type PipelineId = Id<"pipeline">;
export type RunId = Id<"run">;
export type JobId = Id<"job">;
export type StepId = Id<"step">;
export type ExecutionId = Id<"execution">;
export type ArtifactId = Id<"artifact">;
export type DeploymentId = Id<"deployment">;
export type NodeId = Id<"node">;
export type TokenId = Id<"token">;

export type AnyId =
  | ProjectId
  | RepositoryId
  | PipelineId
  | RunId
  | JobId
  | StepId
  | ExecutionId
  | ArtifactId
  | DeploymentId
  | NodeId
  | TokenId;

const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A fresh UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, 74 random bits. */
export function newId<T extends AnyId>(): T {
  const bytes = randomBytes16();
  const view = new DataView(bytes.buffer);
  const now = Date.now();
  view.setUint32(0, Math.floor(now / 0x1_0000));
  view.setUint16(4, now % 0x1_0000);
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  const hex = Buffer.from(bytes).toString("hex");
  return brandId<T>(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
  );
}

/** Fetched by the page: each call into the generator costs as much as a hundred ids. */
const pool = new Uint8Array(4096);
let used = pool.length;

function randomBytes16(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 16;
  return pool.slice(used - 16, used);
}

/** True when `text` has the shape of an id (lower-case UUID). */
export function isId(text: string): boolean {
  return shape.test(text);
}

/** Brands text that is known to be an id: a database column, or text that `isId` accepted. */
export function brandId<T extends AnyId>(text: string): T {
  return text as T;
}
