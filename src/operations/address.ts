/** Which addresses a repository may be registered with. */
import { isAbsolute, normalize } from "node:path";
import { Problem } from "../kernel/index.ts";
import { checkUrl, type UrlPolicy } from "../source/index.ts";
import type { Caller } from "./caller.ts";

export interface AddressRules {
  readonly urlPolicy: UrlPolicy;
  readonly localPaths: "allowed" | "refused";
}

/**
 * The address in its canonical spelling. Local paths would let whoever writes there say what runs here, so they are for
 * an admin of all projects, on a server that nobody reaches from elsewhere. @throws Problem source_refused
 */
export function givenAddress(url: string, { urlPolicy, localPaths }: AddressRules, caller: Caller): string {
  if (!isAbsolute(url)) return checkUrl(url, urlPolicy);
  const may = urlPolicy.allowLocal || (caller.project === null && localPaths === "allowed");
  // Checked before it is normalized, which takes a control character as it comes.
  if (may) return normalize(checkUrl(url, { ...urlPolicy, allowLocal: true }));
  throw new Problem("source_refused", `${JSON.stringify(url)} is a path on the server's machine`, {
    place: "clone_url",
    remedy:
      "Give an https or ssh address; paths are for a token that is bound to no project, on a server that listens on loopback.",
  });
}
