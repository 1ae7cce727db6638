/**
 * Branded identifiers. Every id is a UUIDv7 in lower-case text form. Its order means nothing: lists sort by
 * `(created_at, id)` or `number`. Only this file creates or brands ids.
 */
import { randomUUIDv7 } from "node:crypto";

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
export type InstanceId = Id<"instance">;
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
  | InstanceId
  | TokenId;

const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Creates an id, a UUIDv7 (RFC 9562 §5.7). */
export function newId<T extends AnyId>(): T {
  return brandId<T>(randomUUIDv7());
}

/** Tests whether `text` has the shape of an id (lower-case UUID). */
export function isId(text: string): boolean {
  return shape.test(text);
}

/** Brands text that is known to be an id, such as a database column or text that `isId` accepted. */
export function brandId<T extends AnyId>(text: string): T {
  return text as T;
}
