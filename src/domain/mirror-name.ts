import { createHash } from "node:crypto";

/** The name of the bare mirror that holds an address's objects: the same for every pipeline on that address. */
export function mirrorName(cloneUrl: string): string {
  return createHash("sha256").update(cloneUrl).digest("hex").slice(0, 32);
}
