/**
 * Encrypts and decrypts secrets with AES-256-GCM. Project and name are authenticated with the value, so that an encrypted
 * value that is moved to another row cannot be decrypted. The first of several keys encrypts, all of them decrypt.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { Problem } from "../../kernel/index.ts";
import type { EncryptedSecret } from "../../store/index.ts";

/** 32 bytes each, at least one. */
export type Keyring = readonly Buffer[];

type Place = Pick<EncryptedSecret, "project_id" | "name">;

const nonceBytes = 12;
const tagBytes = 16;

/** Identifies a key without revealing it. */
export const keyId = (key: Buffer): string =>
  createHash("sha256").update("shipinator secrets key").update(key).digest("hex").slice(0, 16);

export function encrypt(keys: Keyring, place: Place, value: string): EncryptedSecret {
  const [key] = keys;
  if (key === undefined) throw new Problem("internal", "There is no key to encrypt with.");
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(contextOf(place));
  const encrypted = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { project_id: place.project_id, name: place.name, key_id: keyId(key), encrypted };
}

/** @throws Problem environment: none of these keys decrypts it */
export function decrypt(keys: Keyring, { project_id, name, key_id, encrypted }: EncryptedSecret): string {
  const key = keys.find((one) => keyId(one) === key_id);
  if (key === undefined)
    throw unopened(name, `it was encrypted with the key ${key_id}, which is not among this server's keys`);
  const bytes = Buffer.from(encrypted);
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes))
    .setAAD(contextOf({ project_id, name }))
    .setAuthTag(bytes.subarray(-tagBytes));
  try {
    const body = bytes.subarray(nonceBytes, -tagBytes);
    return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
  } catch (error) {
    throw unopened(name, "what is stored of it was changed", error);
  }
}

const contextOf = ({ project_id, name }: Place): Buffer => Buffer.from(`${project_id}/${name}`);

function unopened(name: string, fact: string, cause?: unknown): Problem {
  return new Problem("environment", `The secret ${name} cannot be decrypted: ${fact}.`, {
    remedy:
      "Bring the key back (secrets.keys, or the file secret-keys in the data directory), or set the secret again.",
    ...(cause === undefined ? {} : { cause }),
  });
}
