/** Checks the clone credential of a repository, which is a secret of its project, against the address. */
import { isAbsolute } from "node:path";
import { Problem } from "../../kernel/index.ts";
import { isSameHost, isSshAddress } from "../../source/index.ts";
import type { CloneCredentialName } from "../../store/index.ts";
import { checkSecretName } from "./names.ts";

interface Asked {
  readonly clone_secret?: string | null | undefined;
  readonly clone_username?: string | null | undefined;
}

interface Known {
  readonly clone_url: string;
  readonly clone_secret: string | null;
  readonly clone_username: string | null;
}

/** @throws Problem usage */
export function checkCredential(url: string, asked: Asked): CloneCredentialName | null {
  const { clone_secret: secret = null, clone_username: username = null } = asked;
  if (secret === null && username === null) return null;
  if (secret === null)
    throw refuse("clone_username", "A user name needs a secret.", "Name the secret as well: clone_secret.");
  checkSecretName(secret, "clone_secret");
  if (isAbsolute(url) || url.startsWith("file:"))
    throw refuse("clone_secret", "A directory of the server's machine takes no credential.", "Leave it out.");
  if (username === null) return { secret, username };
  if (isSshAddress(url))
    throw refuse(
      "clone_username",
      "An ssh address contains its user.",
      "Leave it out, and write it there: ssh://USER@HOST/PATH.",
    );
  if (username === "" || Buffer.byteLength(username) > 256 || /\p{Cc}/u.test(username))
    throw refuse(
      "clone_username",
      "clone_username is not a user name.",
      "Give 1 to 256 bytes without control characters.",
    );
  return { secret, username };
}

/**
 * Returns the credential after a change; undefined if it stays. A secret is not sent to another host unless the change
 * names it again. @throws Problem usage
 */
export function changedCredential(
  known: Known,
  url: string,
  { clone_secret, clone_username }: Asked,
): CloneCredentialName | null | undefined {
  if (clone_secret === undefined && known.clone_secret !== null && !isSameHost(url, known.clone_url))
    throw refuse(
      "clone_secret",
      `The new address is on another host, which would get the secret ${known.clone_secret}.`,
      "Name the secret for that host as well, or null for none.",
    );
  if (clone_secret === undefined && clone_username === undefined && url === known.clone_url) return undefined;
  return checkCredential(url, {
    clone_secret: clone_secret === undefined ? known.clone_secret : clone_secret,
    // The old user name does not belong to a new secret.
    clone_username:
      clone_username === undefined && clone_secret === undefined ? known.clone_username : clone_username,
  });
}

function refuse(place: string, fact: string, remedy: string): Problem {
  return new Problem("usage", fact, { place, remedy });
}
