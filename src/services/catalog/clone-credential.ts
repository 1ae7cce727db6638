/** Which secret of its project a repository is cloned with: what is asked for, held against its address. */
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
export function givenCredential(url: string, asked: Asked): CloneCredentialName | null {
  const { clone_secret: secret = null, clone_username: username = null } = asked;
  if (secret === null && username === null) return null;
  if (secret === null)
    throw refuse(
      "clone_username",
      "a user name alone opens nothing",
      "Name the secret as well: clone_secret.",
    );
  checkSecretName(secret, "clone_secret");
  if (isAbsolute(url) || url.startsWith("file:"))
    throw refuse("clone_secret", "a directory of the server's machine takes no credential", "Leave it out.");
  if (username === null) return { secret, username };
  if (isSshAddress(url))
    throw refuse(
      "clone_username",
      "an ssh address names its user itself",
      "Leave it out, and write it there: ssh://USER@HOST/PATH.",
    );
  if (username === "" || Buffer.byteLength(username) > 256 || /\p{Cc}/u.test(username))
    throw refuse("clone_username", "is no user name", "Give 1 to 256 bytes without control characters.");
  return { secret, username };
}

/**
 * What a change leaves of the credential; undefined: all of it. A secret is never sent to another host than the one it
 * was given for, unless it is named again. @throws Problem usage
 */
export function changedCredential(
  known: Known,
  url: string,
  { clone_secret, clone_username }: Asked,
): CloneCredentialName | null | undefined {
  if (clone_secret === undefined && known.clone_secret !== null && !isSameHost(url, known.clone_url))
    throw refuse(
      "clone_secret",
      `the new address is on another host, which would be sent the secret ${known.clone_secret}`,
      "Name the secret for that host as well, or null for none.",
    );
  if (clone_secret === undefined && clone_username === undefined && url === known.clone_url) return undefined;
  return givenCredential(url, {
    clone_secret: clone_secret === undefined ? known.clone_secret : clone_secret,
    // Another secret is another's, or a token: the old name does not go with it by itself.
    clone_username:
      clone_username === undefined && clone_secret === undefined ? known.clone_username : clone_username,
  });
}

function refuse(place: string, fact: string, remedy: string): Problem {
  return new Problem("usage", fact, { place, remedy });
}
