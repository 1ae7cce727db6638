/**
 * Caller of an operation and its rights. Every operation needs a scope; `trigger` includes `read`, `admin` includes both.
 * Resources of other projects give `not_found`, never `forbidden`, so that ids reveal nothing.
 */
import { type Scope, scopes } from "../../domain/index.ts";
import { Problem, type ProjectId, type TokenId } from "../../kernel/index.ts";
import { type Operation, operationNeeds } from "./scopes.ts";

export interface Caller {
  /** Recorded with each operation: the token's name, or the account at the server's own terminal. */
  readonly name: string;
  readonly scope: Scope;
  /** Null for all projects. */
  readonly project: ProjectId | null;
  /** Null at the server's own terminal. */
  readonly tokenId: TokenId | null;
  /** Id of the request, for the audit. */
  readonly requestId: string | null;
}

/** Caller at the terminal of the server's machine. Anyone who can write to the data directory may do everything. */
export function localCaller(name: string): Caller {
  return { name, scope: "admin", project: null, tokenId: null, requestId: null };
}

export function includes(held: Scope, needed: Scope): boolean {
  return scopes.indexOf(held) >= scopes.indexOf(needed);
}

export function sees({ project }: Pick<Caller, "project">, owner: ProjectId): boolean {
  return project === null || project === owner;
}

/** @throws Problem forbidden */
export function requireAllowed(caller: Caller, operation: Operation): void {
  const { scope, reach } = operationNeeds[operation];
  const token = JSON.stringify(caller.name);
  if (!includes(caller.scope, scope))
    throw new Problem(
      "forbidden",
      `The operation needs the scope ${scope}, but the token ${token} has ${caller.scope}.`,
      {
        remedy: `Ask an admin for a token with the scope ${scope}.`,
      },
    );
  if (reach === "global" && caller.project !== null)
    throw new Problem(
      "forbidden",
      `The operation concerns all projects, but the token ${token} is for one.`,
      {
        remedy: "Use a token that is not bound to a project.",
      },
    );
}
