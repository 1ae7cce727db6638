/** Rules of an idempotency key, for REST and RPC. */
import { Problem } from "../kernel/index.ts";

const shape = /^[\x21-\x7e]{1,255}$/;

/** @param place the header, as its protocol writes it. @throws Problem usage */
export function checkIdempotencyKey(key: unknown, place: string): asserts key is string {
  if (typeof key === "string" && shape.test(key)) return;
  throw new Problem("usage", `${place} must be 1 to 255 visible ASCII characters.`, { place });
}

/** Why a key that is taken is not taken again. */
export function keyRefused(kind: "mismatch" | "busy", place: string): Problem {
  return kind === "mismatch"
    ? new Problem("idempotency_mismatch", `This ${place} was used for another request.`, {
        remedy: "Use a fresh key for each thing that is to be done once.",
      })
    : new Problem("conflict", `The first request with this ${place} is still under way.`, {
        remedy: "Repeat it in a moment.",
        details: { retry_after: 1 },
      });
}
