/** A token's secret: `shp_` and 32 random bytes as base64url. What is kept of it is its SHA-256. */
import { createHash, randomBytes } from "node:crypto";

const prefix = "shp_";
const shape = /^shp_[A-Za-z0-9_-]{43}$/;

export function newSecret(): string {
  return `${prefix}${randomBytes(32).toString("base64url")}`;
}

/** 32 bytes. No salt and no stretching: the secret has 256 random bits, so there is nothing to guess. */
export function hashSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

export function isSecret(text: string): boolean {
  return shape.test(text);
}
