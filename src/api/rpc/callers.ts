/** Who calls: the same tokens, scopes and limits as in REST. Refused before anything else of the request is looked at. */
import { createHash } from "node:crypto";
import {
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { errorCode, Problem } from "../../kernel/index.ts";
import type {
  CallbackClient,
  Caller,
  Client,
  IdempotencyKey,
  Operation,
  Operations,
} from "../../operations/index.ts";
import type { LoginLimit } from "../login-limit.ts";
import { plain } from "./errors.ts";

export interface Peer {
  readonly ip: string;
  readonly requestId: string;
}

const peerKey = createContextKey<Peer>({ ip: "", requestId: "" });

export const valuesOf = (peer: Peer): ContextValues => createContextValues().set(peerKey, peer);
export const peerOf = ({ values }: Pick<HandlerContext, "values">): Peer => values.get(peerKey);

export interface Entered {
  readonly client: Client;
  /** Whose streams and idempotency keys these are. */
  readonly callerKey: string;
  readonly credential: string;
}

export interface Callers {
  /** @throws Problem unauthorized, too_many_requests, forbidden */
  enter(context: HandlerContext, operation: Operation): Promise<Entered>;
  /** The holder of the token of this execution. @throws Problem unauthorized, too_many_requests, forbidden, not_found */
  executor(context: HandlerContext, executionId: string): Promise<CallbackClient>;
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

const keyShape = /^[\x21-\x7e]{1,255}$/;

export function createCallers(operations: Operations, logins: LoginLimit): Callers {
  async function login<Found>(
    context: HandlerContext,
    find: (token: string, requestId: string) => Promise<Found>,
  ): Promise<{ readonly credential: string; readonly found: Found }> {
    const { ip, requestId } = peerOf(context);
    try {
      const credential = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(
        context.requestHeader.get("authorization") ?? "",
      )?.[1];
      if (credential === undefined)
        throw new Problem("unauthorized", "no token was sent", {
          remedy: "Send `authorization: Bearer TOKEN` in the metadata.",
        });
      return { credential, found: await find(credential, requestId) };
    } catch (error) {
      if (errorCode(error) !== "unauthorized") throw error;
      const wait = logins.failed(ip);
      if (wait === null) throw error;
      throw new Problem("too_many_requests", "too many requests from this address had no valid token", {
        remedy: `Wait ${wait} s, then send a token that is neither expired nor revoked.`,
        details: { retry_after: wait },
      });
    }
  }

  return {
    async enter(context, operation) {
      const { credential, found: caller } = await login<Caller>(context, operations.authenticate);
      await operations.allow(caller, operation);
      return { client: operations.as(caller), callerKey: caller.tokenId ?? caller.name, credential };
    },
    async executor(context, executionId) {
      const { found } = await login(context, operations.executor);
      if (found.executionId === executionId) return found;
      throw new Problem("not_found", "the token is not that of this execution");
    },
    async once(context, { callerKey, credential }, request, work) {
      const key = context.requestHeader.get("idempotency-key");
      if (key === null) return await work(undefined);
      if (!keyShape.test(key))
        throw new Problem("usage", "idempotency-key must be 1 to 255 visible ASCII characters", {
          place: "idempotency-key",
        });
      const asked = JSON.stringify([context.service.typeName, context.method.name, request]);
      const requestSha256 = createHash("sha256").update(asked).digest("hex");
      return await kept(operations, { caller: callerKey, credential, key, requestSha256 }, work);
    },
  };
}

async function kept<Answer>(
  { idempotency }: Operations,
  key: IdempotencyKey,
  work: (id: string) => Promise<Answer>,
): Promise<Answer | unknown> {
  const reservation = await idempotency.reserve(key);
  switch (reservation.kind) {
    case "replay":
      return reservation.answer;
    case "mismatch":
      throw new Problem("idempotency_mismatch", "this idempotency-key was used for another request", {
        remedy: "Use a fresh key for each thing that is to be done once.",
      });
    case "busy":
      throw new Problem("conflict", "the first request with this idempotency-key is still under way", {
        remedy: "Repeat it in a moment.",
      });
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
