/**
 * Answers that are given again, sealed: the answer to the creation of a token holds the token, and the database shall
 * know its hash only. The seal's key is made of the credential and the idempotency key, which come again with the request
 * and are kept nowhere.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { IdempotencyRequest, Owner, Reservation } from "../../store/index.ts";
import type { OperationsDeps } from "../deps.ts";
import { isGone } from "../maintenance/recovery.ts";

export interface IdempotencyKey extends IdempotencyRequest {
  /** What the caller was let in with: the token itself. */
  readonly credential: string;
}

export interface KeptAnswers {
  reserve(key: IdempotencyKey): Promise<Reservation>;
  complete(key: IdempotencyKey, status: number, answer: unknown): Promise<void>;
  /** It came to nothing that is to be repeated: the key is free again. */
  release(key: IdempotencyKey): Promise<void>;
}

const cipher = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;

/** Its reservations are this process's. What a process that is gone has reserved is free at once. */
export function keepAnswersOf(deps: Pick<OperationsDeps, "database" | "isAlive">): KeptAnswers {
  const store = async () => (await deps.database()).store.idempotency;

  async function reserve(key: IdempotencyKey): Promise<Reservation> {
    const { store: all, owner } = await deps.database();
    const first = await all.idempotency.reserve(key, owner);
    if (first.kind !== "busy" || first.holder === null || isSame(first.holder, owner)) return first;
    const gone = await isGone(deps, first.holder);
    return gone ? await all.idempotency.reserve(key, owner, first.holder) : first;
  }

  return {
    async reserve(key) {
      const reservation = await reserve(key);
      return reservation.kind === "replay"
        ? { ...reservation, answer: unseal(key, reservation.answer) }
        : reservation;
    },
    complete: async (key, status, answer) => (await store()).complete(key, status, seal(key, answer)),
    release: async (key) => (await store()).release(key),
  };
}

const isSame = (one: Owner, other: Owner) => one.instance === other.instance && one.epoch === other.epoch;

function sealingKey({ credential, key }: IdempotencyKey): Buffer {
  return Buffer.from(hkdfSync("sha256", credential, key, "shipinator kept answer", 32));
}

function seal(key: IdempotencyKey, answer: unknown): string {
  const iv = randomBytes(ivBytes);
  const sealing = createCipheriv(cipher, sealingKey(key), iv);
  const text = JSON.stringify(answer ?? null);
  return Buffer.concat([iv, sealing.update(text, "utf8"), sealing.final(), sealing.getAuthTag()]).toString(
    "base64",
  );
}

function unseal(key: IdempotencyKey, sealed: unknown): unknown {
  const bytes = Buffer.from(String(sealed), "base64");
  const opening = createDecipheriv(cipher, sealingKey(key), bytes.subarray(0, ivBytes));
  opening.setAuthTag(bytes.subarray(-tagBytes));
  const text = Buffer.concat([opening.update(bytes.subarray(ivBytes, -tagBytes)), opening.final()]);
  return JSON.parse(text.toString("utf8"));
}
