/** Rules for the addresses of registered repositories. */
import { isAbsolute, normalize } from "node:path";
import { checkUrl, type UrlPolicy } from "../../source/index.ts";
import type { Caller } from "../auth/caller.ts";

export interface AddressRules {
  readonly urlPolicy: UrlPolicy;
  readonly localPaths: "allowed" | "refused";
}

/**
 * Checks an address and returns its canonical form. A local path or a file:// address can name any repository that the
 * server can read. So it needs a token for all projects, and a server that listens on loopback or the setting that allows
 * such addresses. @throws Problem source_refused
 */
export function checkAddress(url: string, { urlPolicy, localPaths }: AddressRules, caller: Caller): string {
  const allowed = urlPolicy.allowLocal || (localPaths === "allowed" && isAbsolute(url));
  // Check before normalizing, which accepts control characters.
  const checked = checkUrl(url, { ...urlPolicy, allowLocal: allowed && caller.project === null });
  return isAbsolute(url) ? normalize(checked) : checked;
}
