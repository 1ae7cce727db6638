/** The account that Postgres runs as. Postgres refuses root, so root chooses an existing unprivileged account for it. */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { Problem } from "../kernel/index.ts";
import type { Environment, Layout } from "./layout.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Options of `spawn` that switch to this account; empty when the process runs as it. */
  readonly identity: { readonly uid: number; readonly gid: number } | Record<string, never>;
}

const fallbacks = ["postgres", "nobody"];

/** Problems: `environment` when no account serves, `data_dir_unusable` when the data belongs to another one. */
export function chooseAccount(layout: Layout, environment: Environment, user: string | undefined): Account {
  const owner = statSync(layout.data, { throwIfNoEntry: false });
  if (environment.uid !== 0) {
    if (owner !== undefined && owner.uid !== environment.uid)
      throw foreignData(layout, owner.uid, "this user");
    const { uid, gid } = environment;
    return { name: `uid ${uid}`, uid, gid, identity: {} };
  }
  const account = user === undefined ? undefined : named(user);
  if (owner === undefined) return account ?? firstFallback();
  // Data that exists decides: an account that appears later (a package brings `postgres`) must not lock us out.
  if (account !== undefined && account.uid !== owner.uid)
    throw foreignData(layout, owner.uid, `"${account.name}"`);
  if (owner.uid === 0) throw foreignData(layout, 0, "an unprivileged account, as Postgres demands");
  return account ?? lend(`uid ${owner.uid}`, owner.uid, owner.gid);
}

function named(user: string): Account {
  const found = lookUp(user);
  if (found === undefined) {
    throw new Problem(
      "environment",
      `The account "${user}" (embedded.user) does not exist on this machine.`,
      {
        remedy: "Create it, or name another in SHIPINATOR_EMBEDDED_USER.",
      },
    );
  }
  if (found.uid === 0) {
    throw new Problem(
      "environment",
      `Postgres refuses to run as root, and "${user}" (embedded.user) is root.`,
      {
        remedy: "Name an unprivileged account in SHIPINATOR_EMBEDDED_USER.",
      },
    );
  }
  return found;
}

function firstFallback(): Account {
  for (const name of fallbacks) {
    const found = lookUp(name);
    if (found !== undefined && found.uid !== 0) return found;
  }
  throw new Problem(
    "environment",
    "Postgres refuses to run as root, and this machine has neither an account `postgres` nor `nobody` to run it under.",
    { remedy: "Create an account and name it in SHIPINATOR_EMBEDDED_USER, or set SHIPINATOR_DB_HOST." },
  );
}

/** /etc/passwd first, for it costs nothing; `id` also knows accounts from a directory service. */
function lookUp(name: string): Account | undefined {
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [user, , uid, gid] = line.split(":");
    if (user === name && uid !== undefined && gid !== undefined) return lend(name, Number(uid), Number(gid));
  }
  if (fallbacks.includes(name)) return undefined;
  try {
    const ask = (flag: string) =>
      Number(
        execFileSync("id", [flag, "--", name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
      );
    return lend(name, ask("-u"), ask("-g"));
  } catch {
    // `id` fails for exactly one reason that matters here: there is no such account.
    return undefined;
  }
}

function lend(name: string, uid: number, gid: number): Account {
  return { name, uid, gid, identity: { uid, gid } };
}

function foreignData(layout: Layout, uid: number, expected: string): Problem {
  return new Problem(
    "data_dir_unusable",
    `The database in ${layout.data} belongs to uid ${uid}, not to ${expected}.`,
    {
      remedy:
        "Run as its owner, name that account in SHIPINATOR_EMBEDDED_USER, or choose another data directory.",
    },
  );
}
