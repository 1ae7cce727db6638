import { createHash } from "node:crypto";
import type { RepositoryId } from "../../kernel/index.ts";

/**
 * The name of the bare mirror that holds an address's objects: the same for every pipeline on that address. What was
 * fetched with a repository's own credential is its own, for another project may not be let in there.
 */
export function mirrorName(cloneUrl: string, credential: RepositoryId | null): string {
  const named = credential === null ? cloneUrl : `${cloneUrl}\n${credential}`;
  return createHash("sha256").update(named).digest("hex").slice(0, 32);
}
