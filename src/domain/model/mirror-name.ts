import { createHash } from "node:crypto";
import type { RepositoryId } from "../../kernel/index.ts";

/**
 * Returns the name of the bare mirror that holds an address's objects: the same for every pipeline on that address.
 * Objects that were fetched with a repository's own credential have their own mirror: other projects may not read them.
 */
export function mirrorName(cloneUrl: string, credential: RepositoryId | null): string {
  const named = credential === null ? cloneUrl : `${cloneUrl}\n${credential}`;
  return createHash("sha256").update(named).digest("hex").slice(0, 32);
}
