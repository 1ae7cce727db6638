/**
 * Passes a repository's clone credential to one call of git: a token or password for https, a private key for ssh. Git
 * then uses no helper, agent or prompt, and sends the credential to no other host.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, Problem, type RepositoryId, shellQuote } from "../../kernel/index.ts";
import { absent, unusable } from "../mirror/mirror.ts";
import { isSshAddress } from "./url.ts";

export interface CloneCredential {
  /** Name of the secret. */
  readonly name: string;
  readonly username: string;
  /** Token, password, or private key in the format of `ssh-keygen`. */
  readonly value: string;
}

export interface Credentials {
  /**
   * Reads the credential of a repository. Null: it has none and may not use the account's credentials.
   * @throws Problem: the credential was removed or cannot be decrypted
   */
  of(repository: RepositoryId): Promise<CloneCredential | null>;
  /** Directory (0700) of private keys while git uses them. Backups leave it out. */
  readonly directory: string;
}

/** Address and credential of a remote. */
export interface Remote {
  readonly url: string;
  readonly credential: RepositoryId | null;
}

/** Additions to one call of git. */
export interface Lent extends AsyncDisposable {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly name: string | null;
}

interface Lender {
  readonly credentials: Credentials | null;
  /** Command for ssh without a clone credential. */
  readonly ssh: string;
  readonly clock: Clock;
}

const nothing: Lent = { args: [], env: {}, name: null, async [Symbol.asyncDispose]() {} };
/** Age of a key that a killed process left. No call of git takes as long. */
const staleMs = 3600_000;

// The environment carries the values, so that the process list does not show them.
const helper = `!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$SHIPINATOR_GIT_USERNAME" "$SHIPINATOR_GIT_PASSWORD"; }; f`;

export async function lend(lender: Lender, { url, credential }: Remote): Promise<Lent> {
  if (credential === null) return nothing;
  if (lender.credentials === null)
    throw new Problem("internal", `There is no source for the credential of the repository ${credential}.`);
  const given = await lender.credentials.of(credential);
  if (given === null) return withheld;
  if (isSshAddress(url)) return await lendKey(lender, lender.credentials.directory, given);
  if (/^https?:/.test(url)) return lendPassword(given, new URL(url).origin);
  throw new Problem(
    "source_refused",
    `${url} takes no credential, but its repository has one (${given.name}).`,
    {
      remedy: "Remove it from the repository, or give an https or ssh address.",
    },
  );
}

/** Disables the account's configuration, helpers, `.netrc`, keys, agents and prompts. */
const withheld: Lent = {
  ...nothing,
  env: {
    HOME: "/nonexistent",
    XDG_CONFIG_HOME: "/nonexistent",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_ASKPASS: "",
    GIT_SSH_COMMAND:
      "ssh -F /dev/null -o IdentityFile=none -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes",
  },
};

function lendPassword({ name, username, value }: CloneCredential, origin: string): Lent {
  if (/[\r\n]/.test(value) || /[\r\n]/.test(username))
    throw new Problem(
      "source_refused",
      `The secret ${name} has more than one line, so it is not a password.`,
      {
        remedy: "Set it to a token or password. A private key is for ssh addresses.",
      },
    );
  return {
    ...nothing,
    args: ["-c", `credential.${origin}.helper=`, "-c", `credential.${origin}.helper=${helper}`],
    env: { SHIPINATOR_GIT_USERNAME: username, SHIPINATOR_GIT_PASSWORD: value, GIT_ASKPASS: "" },
    name,
  };
}

async function lendKey(lender: Lender, keys: string, { name, value }: CloneCredential): Promise<Lent> {
  if (!/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\r?\n/.test(value))
    throw new Problem("source_refused", `The secret ${name} is not a private key, which ssh needs.`, {
      remedy: "Set it to a key without a passphrase, as ssh-keygen writes it, or give an https address.",
    });
  const path = join(keys, randomBytes(8).toString("hex"));
  try {
    await mkdir(keys, { recursive: true, mode: 0o700 });
    await removeStaleKeys(keys, lender.clock);
    await writeFile(path, `${value.replace(/\r\n/g, "\n").trimEnd()}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw unusable(path, error);
  }
  const options = ["IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes"].map((one) => ` -o ${one}`);
  return {
    args: [],
    env: { GIT_SSH_COMMAND: `${lender.ssh} -i ${shellQuote(path)}${options.join("")}` },
    name,
    [Symbol.asyncDispose]: () => rm(path, { force: true }),
  };
}

async function removeStaleKeys(keys: string, clock: Clock): Promise<void> {
  const oldest = clock.now().getTime() - staleMs;
  for (const key of await readdir(keys)) {
    const found = await stat(join(keys, key)).catch(absent);
    if (found !== null && found.mtimeMs < oldest) await rm(join(keys, key), { force: true });
  }
}
