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
  if (!isAbsolute(url)) return withoutHiddenCredentials(checkUrl(url, urlPolicy));
  const may = urlPolicy.allowLocal || (caller.project === null && localPaths === "allowed");
  // Checked before it is normalized, which takes a control character as it comes.
  if (may) return normalize(checkUrl(url, { ...urlPolicy, allowLocal: true }));
  throw new Problem("source_refused", `${JSON.stringify(url)} is a path on the server's machine`, {
    place: "clone_url",
    remedy:
      "Give an https or ssh address; paths are for a token that is bound to no project, on a server that listens on loopback.",
  });
}

/** Beside user and password, which `checkUrl` refuses: other places where people put a token. */
function withoutHiddenCredentials(url: string): string {
  const where = /^https?:\/\/[^?#]*[?#]/.test(url)
    ? "a query or fragment"
    : /^[^/:@]+:[^/@]+@/.test(url)
      ? "a password"
      : null;
  if (where === null) return url;
  throw new Problem(
    "source_refused",
    `the repository's address has ${where}, which would be stored and shown with any credential in it`,
    { place: "clone_url", remedy: "Leave it out; the server's git gets its credentials elsewhere." },
  );
}
