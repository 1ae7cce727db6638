/**
 * `Idempotency-Key` on POST: the same key and request get the same answer for a day, whatever happened in between. The
 * key is reserved before the request is carried out, with the id that what is made will get.
 */
import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { IdempotencyKey, Services } from "../../services/index.ts";
import { checkIdempotencyKey, keyRefused } from "../idempotency-key.ts";

const headerName = "Idempotency-Key";

export function keepAnswers(app: FastifyInstance, { idempotency }: Pick<Services, "idempotency">): void {
  const held = new WeakMap<FastifyRequest, IdempotencyKey>();

  app.addHook("preHandler", async (request, reply) => {
    const key = keyOf(request);
    if (key === null) return;
    const reservation = await idempotency.reserve(key);
    switch (reservation.kind) {
      case "new":
        held.set(request, key);
        request.resourceId = reservation.resourceId;
        return;
      case "replay":
        return await reply
          .status(reservation.status)
          .header("idempotency-replayed", "true")
          .send(reservation.answer);
      case "mismatch":
      case "busy":
        throw keyRefused(reservation.kind, headerName);
    }
  });

  app.addHook("onSend", async (request, reply, payload) => {
    const key = held.get(request);
    if (key === undefined) return payload;
    held.delete(request);
    await settle(key, reply, payload);
    return payload;
  });

  /** Keeps the answer, or frees the key where the failure was the server's own. */
  async function settle(key: IdempotencyKey, reply: FastifyReply, payload: unknown): Promise<void> {
    const lasting = reply.statusCode < 500 && reply.statusCode !== 429 && typeof payload === "string";
    if (!lasting || reply.statusCode >= 400) await idempotency.release(key);
    else await idempotency.complete(key, reply.statusCode, JSON.parse(payload));
  }
}

function keyOf(request: FastifyRequest): IdempotencyKey | null {
  const header = request.headers["idempotency-key"];
  if (request.method !== "POST" || header === undefined) return null;
  // Without a caller there is nobody whose key it is; RPC keeps its answers itself.
  if (request.routeOptions.config.access === "open") return null;
  checkIdempotencyKey(header, headerName);
  const { body, method, url } = request;
  const asked = JSON.stringify([method, url, body ?? null]);
  return {
    caller: request.callerKey,
    credential: request.credential,
    key: header,
    requestSha256: createHash("sha256").update(asked).digest("hex"),
  };
}
