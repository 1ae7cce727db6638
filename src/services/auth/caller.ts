/**
 * Who asks, and what they may. Every operation names the scope that it needs; `trigger` includes `read`, `admin`
 * includes both. What belongs to a project that the caller does not see does not exist for them: `not_found`, never
 * `forbidden`, so that ids tell nothing.
 */
import { type Scope, scopes } from "../../domain/index.ts";
import { Problem, type ProjectId, type TokenId } from "../../kernel/index.ts";
import { type Operation, operationNeeds } from "./scopes.ts";

export interface Caller {
  /** Recorded with what is asked: the token's name, or an account at the server's own terminal. */
  readonly name: string;
  readonly scope: Scope;
  /** Null: all projects. */
  readonly project: ProjectId | null;
  /** Null at the server's own terminal. */
  readonly tokenId: TokenId | null;
  /** Of the request that asks, for the audit. */
  readonly requestId: string | null;
}

/** The person at the terminal of the machine that has the data directory: whoever can write there can do anything. */
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
      `this needs the scope ${scope}, and the token ${token} has ${caller.scope}`,
      {
        remedy: `Ask an admin for a token with the scope ${scope}.`,
      },
    );
  if (reach === "global" && caller.project !== null)
    throw new Problem("forbidden", `this concerns all projects, and the token ${token} is for one`, {
      remedy: "Use a token that is not bound to a project.",
    });
}
