/**
 * Callers of RPC: the same tokens, scopes and limits as in REST. `authenticate` runs before a request's body is read;
 * the methods that follow find its result in the context.
 */
import { createHash } from "node:crypto";
import {
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { Problem } from "../../kernel/index.ts";
import type {
  CallbackClient,
  Caller,
  Client,
  IdempotencyKey,
  Operation,
  Services,
} from "../../services/index.ts";
import { type LoggedIn, type LoginAttempt, login } from "../http/login.ts";
import type { LoginLimit } from "../http/login-limit.ts";
import { checkIdempotencyKey, keyRefused } from "../idempotency-key.ts";
import { plain } from "./errors.ts";

export interface Peer {
  readonly ip: string;
  readonly requestId: string;
}

const callerKey = createContextKey<LoggedIn<Caller> | null>(null);
const executorKey = createContextKey<CallbackClient | null>(null);
const peerKey = createContextKey<Peer>({ ip: "", requestId: "" });

export const valuesOf = (peer: Peer): ContextValues => createContextValues().set(peerKey, peer);
export const peerOf = ({ values }: Pick<HandlerContext, "values">): Peer => values.get(peerKey);

export interface Entered {
  readonly client: Client;
  /** Owner of the streams and idempotency keys. */
  readonly callerKey: string;
  readonly credential: string;
}

/** Kinds of tokens: a person's or program's, and that of one execution. */
export type TokenKind = "caller" | "executor";

export interface Callers {
  /** Reads the headers alone. @throws Problem unauthorized, too_many_requests, forbidden */
  authenticate(context: HandlerContext, kind: TokenKind): Promise<void>;
  /** @throws Problem forbidden */
  enter(context: HandlerContext, operation: Operation): Promise<Entered>;
  /** The holder of the token of this execution. @throws Problem not_found */
  executor(context: HandlerContext, executionId: string): CallbackClient;
  /**
   * Does it once for an `idempotency-key` in the metadata, however often it is asked within a day.
   * @param work gets the id that what is made shall have
   */
  once<Answer>(
    context: HandlerContext,
    entered: Entered,
    request: unknown,
    work: (id: string | undefined) => Promise<Answer>,
  ): Promise<Answer | unknown>;
}

const keyName = "idempotency-key";

export function createCallers(operations: Services, logins: LoginLimit): Callers {
  function attemptOf(context: HandlerContext): LoginAttempt {
    return { header: context.requestHeader.get("authorization") ?? undefined, ...peerOf(context) };
  }

  return {
    async authenticate(context, kind) {
      const { values } = context;
      const attempt = attemptOf(context);
      if (kind === "caller") values.set(callerKey, await login(attempt, logins, operations.authenticate));
      else values.set(executorKey, (await login(attempt, logins, operations.executor)).found);
    },
    async enter(context, operation) {
      const { credential, found: caller } = authenticated(context.values.get(callerKey));
      await operations.allow(caller, operation);
      return { client: operations.as(caller), callerKey: caller.tokenId ?? caller.name, credential };
    },
    executor(context, executionId) {
      const found = authenticated(context.values.get(executorKey));
      if (found.executionId === executionId) return found;
      throw new Problem("not_found", "The token is not that of this execution.");
    },
    async once(context, { callerKey, credential }, request, work) {
      const key = context.requestHeader.get(keyName);
      if (key === null) return await work(undefined);
      checkIdempotencyKey(key, keyName);
      const asked = JSON.stringify([context.service.typeName, context.method.name, request]);
      const requestSha256 = createHash("sha256").update(asked).digest("hex");
      return await kept(operations, { caller: callerKey, credential, key, requestSha256 }, work);
    },
  };
}

function authenticated<Found>(found: Found | null): Found {
  if (found === null) throw new Problem("internal", "The method was called without authentication.");
  return found;
}

async function kept<Answer>(
  { idempotency }: Services,
  key: IdempotencyKey,
  work: (id: string) => Promise<Answer>,
): Promise<Answer | unknown> {
  const reservation = await idempotency.reserve(key);
  switch (reservation.kind) {
    case "replay":
      return reservation.answer;
    case "mismatch":
    case "busy":
      throw keyRefused(reservation.kind, keyName);
    case "new":
      try {
        const answer = await work(reservation.resourceId);
        await idempotency.complete(key, 200, plain(answer));
        return answer;
      } catch (error) {
        await idempotency.release(key);
        throw error;
      }
  }
}
