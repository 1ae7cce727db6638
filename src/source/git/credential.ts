/**
 * Lends a repository's own credential to one call of git: a token or password to https, a private key to ssh. Where it
 * is lent, it is the only one: no helper, agent or prompt is asked beside it, and no other host is given it.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, Problem, type RepositoryId, shellQuote } from "../../kernel/index.ts";
import { absent, unusable } from "../mirror/mirror.ts";
import { isSshAddress } from "./url.ts";

export interface CloneCredential {
  /** The name under which people know it. */
  readonly name: string;
  readonly username: string;
  /** A token, a password, or a private key as `ssh-keygen` writes it. */
  readonly value: string;
}

export interface Credentials {
  /**
   * A repository's own; null: it has none, and what the account has by itself is withheld from it.
   * @throws Problem: it was taken away, or it cannot be opened
   */
  of(repository: RepositoryId): Promise<CloneCredential | null>;
  /** Where a private key lies while git uses it: 0700, and no part of any backup. */
  readonly directory: string;
}

/** Where git goes, and as whom. */
export interface Remote {
  readonly url: string;
  readonly credential: RepositoryId | null;
}

/** What one call of git is given beside its own. */
export interface Lent extends AsyncDisposable {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly name: string | null;
}

interface Lender {
  readonly credentials: Credentials | null;
  /** What starts ssh where nothing is lent. */
  readonly ssh: string;
  readonly clock: Clock;
}

const nothing: Lent = { args: [], env: {}, name: null, async [Symbol.asyncDispose]() {} };
/** Of keys that a killed process left. No call of git takes as long. */
const staleMs = 3600_000;

// The values come by the environment, so that no list of processes shows them.
const helper = `!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$SHIPINATOR_GIT_USERNAME" "$SHIPINATOR_GIT_PASSWORD"; }; f`;

export async function lend(lender: Lender, { url, credential }: Remote): Promise<Lent> {
  if (credential === null) return nothing;
  if (lender.credentials === null)
    throw new Problem("internal", `nobody gives the credential of the repository ${credential}`);
  const given = await lender.credentials.of(credential);
  if (given === null) return withheld;
  if (isSshAddress(url)) return await lendKey(lender, lender.credentials.directory, given);
  if (/^https?:/.test(url)) return lendPassword(given, new URL(url).origin);
  throw new Problem(
    "source_refused",
    `${url} takes no credential, and its repository has one (${given.name})`,
    {
      remedy: "Take it away from the repository, or give an https or ssh address.",
    },
  );
}

/** Neither the account's configuration and its helpers, nor `.netrc`, keys, agents or prompts. */
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
      `the secret ${name} has more than one line, so no password can be meant`,
      {
        remedy: "Set it to a token or password; a private key is for ssh addresses.",
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
    throw new Problem("source_refused", `the secret ${name} is no private key, and ssh takes nothing else`, {
      remedy: "Set it to a key without a passphrase, as ssh-keygen writes it, or give an https address.",
    });
  const path = join(keys, randomBytes(8).toString("hex"));
  try {
    await mkdir(keys, { recursive: true, mode: 0o700 });
    await sweep(keys, lender.clock);
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

async function sweep(keys: string, clock: Clock): Promise<void> {
  const oldest = clock.now().getTime() - staleMs;
  for (const key of await readdir(keys)) {
    const found = await stat(join(keys, key)).catch(absent);
    if (found !== null && found.mtimeMs < oldest) await rm(join(keys, key), { force: true });
  }
}
