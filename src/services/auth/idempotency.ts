/**
 * Idempotency store: encrypted responses that are sent again for a repeated request. They are encrypted because a new
 * token is in its response and the database may have only its hash. The key is derived from the credential and the
 * idempotency key, which the repeated request sends again and nobody stores.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { IdempotencyRequest, Owner, Reservation } from "../../store/index.ts";
import type { ServiceDeps } from "../deps.ts";
import { isGone } from "../maintenance/recovery.ts";

export interface IdempotencyKey extends IdempotencyRequest {
  /** Token of the caller. */
  readonly credential: string;
}

export interface IdempotencyStore {
  reserve(key: IdempotencyKey): Promise<Reservation>;
  complete(key: IdempotencyKey, status: number, answer: unknown): Promise<void>;
  /** Frees the key of a request whose response is not repeated. */
  release(key: IdempotencyKey): Promise<void>;
}

const cipher = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;

/** Reserves keys for this process. Keys of a process that has ended are free at once. */
export function createIdempotencyStore(deps: Pick<ServiceDeps, "database" | "isAlive">): IdempotencyStore {
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
        ? { ...reservation, answer: decrypt(key, reservation.answer) }
        : reservation;
    },
    complete: async (key, status, answer) => (await store()).complete(key, status, seal(key, answer)),
    release: async (key) => (await store()).release(key),
  };
}

const isSame = (one: Owner, other: Owner) => one.instance === other.instance && one.epoch === other.epoch;

function encryptionKey({ credential, key }: IdempotencyKey): Buffer {
  return Buffer.from(hkdfSync("sha256", credential, key, "shipinator kept answer", 32));
}

function seal(key: IdempotencyKey, answer: unknown): string {
  const iv = randomBytes(ivBytes);
  const sealing = createCipheriv(cipher, encryptionKey(key), iv);
  const text = JSON.stringify(answer ?? null);
  return Buffer.concat([iv, sealing.update(text, "utf8"), sealing.final(), sealing.getAuthTag()]).toString(
    "base64",
  );
}

function decrypt(key: IdempotencyKey, sealed: unknown): unknown {
  const bytes = Buffer.from(String(sealed), "base64");
  const opening = createDecipheriv(cipher, encryptionKey(key), bytes.subarray(0, ivBytes));
  opening.setAuthTag(bytes.subarray(-tagBytes));
  const text = Buffer.concat([opening.update(bytes.subarray(ivBytes, -tagBytes)), opening.final()]);
  return JSON.parse(text.toString("utf8"));
}
