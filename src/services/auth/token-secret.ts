/** Secret of a token: `shp_` and 32 random bytes as base64url. Only its SHA-256 is stored. */
import { createHash, randomBytes } from "node:crypto";

const prefix = "shp_";
const shape = /^shp_[A-Za-z0-9_-]{43}$/;

export function newSecret(): string {
  return `${prefix}${randomBytes(32).toString("base64url")}`;
}

/** Hashes a secret. It needs no salt and no stretching, because 256 random bits cannot be guessed. */
export function hashSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

export function isSecret(text: string): boolean {
  return shape.test(text);
}
