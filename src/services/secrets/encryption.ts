/**
 * Seals and opens secrets with AES-256-GCM. Project and name are authenticated with the value, so that a sealed value
 * that is moved to another row does not open. Of several keys the first one seals, and all of them open.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { Problem } from "../../kernel/index.ts";
import type { SealedSecret } from "../../store/index.ts";

/** 32 bytes each, at least one. */
export type Keyring = readonly Buffer[];

type Place = Pick<SealedSecret, "project_id" | "name">;

const nonceBytes = 12;
const tagBytes = 16;

/** Names a key without telling anything of it. */
export const keyId = (key: Buffer): string =>
  createHash("sha256").update("shipinator secrets key").update(key).digest("hex").slice(0, 16);

export function seal(keys: Keyring, place: Place, value: string): SealedSecret {
  const [key] = keys;
  if (key === undefined) throw new Problem("internal", "there is no key to seal with");
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(contextOf(place));
  const encrypted = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { project_id: place.project_id, name: place.name, key_id: keyId(key), encrypted };
}

/** @throws Problem environment: no key of these opens it */
export function open(keys: Keyring, { project_id, name, key_id, encrypted }: SealedSecret): string {
  const key = keys.find((one) => keyId(one) === key_id);
  if (key === undefined)
    throw unopened(name, `it was sealed with the key ${key_id}, and that is not among this server's keys`);
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
  return new Problem("environment", `the secret ${name} cannot be opened: ${fact}`, {
    remedy:
      "Bring the key back (secrets.keys, or the file secret-keys in the data directory), or set the secret anew.",
    ...(cause === undefined ? {} : { cause }),
  });
}
