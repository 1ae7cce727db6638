/** The account that steps run as, where it is not the program's own. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../kernel/index.ts";

export interface StepAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Absolute path of `setpriv`. */
  readonly setpriv: string;
}

/** Directories of util-linux, independent of the PATH. */
const places = ["/usr/bin", "/bin", "/usr/local/bin"];

/**
 * @param uid of this process
 * @returns null where steps run as the program itself
 * @throws Problem server_config_invalid, environment
 */
export function findStepAccount(name: string | null, uid: number): StepAccount | null {
  if (name === null || (name === "root" && uid === 0)) return null;
  const found = lookUp(name);
  if (found === null)
    throw refused(
      `the account ${JSON.stringify(name)} does not exist on this machine`,
      "Create it, or name another.",
    );
  if (found.uid === uid) return null;
  if (uid !== 0)
    throw refused(
      `only root can run steps as ${JSON.stringify(name)}, and this is uid ${uid}`,
      "Start the program as root, or leave local.user out.",
    );
  return { ...found, name, setpriv: findSetpriv() };
}

/**
 * A pool: accounts of which each project has one to itself.
 * @throws Problem server_config_invalid, environment
 */
export function findStepAccounts(names: readonly string[], uid: number): readonly StepAccount[] {
  const found = names.map((name) => {
    const account = findStepAccount(name, uid);
    if (account !== null) return account;
    throw refused(
      `the server runs as ${name} itself, so it cannot be one of the accounts`,
      "Name others.",
      "local.users",
    );
  });
  const twice = found.find((one, index) => found.findIndex((other) => other.uid === one.uid) !== index);
  if (twice !== undefined)
    throw refused(`${twice.name} is named twice`, "Name each account once.", "local.users");
  const shares = found.find((one, index) => found.findIndex((other) => other.gid === one.gid) !== index);
  if (shares !== undefined)
    throw refused(
      `${shares.name} has the primary group of another of these accounts, which may read what is its group's`,
      "Give each account a group of its own.",
      "local.users",
    );
  return found;
}

/** @param owner of the embedded database's files. @throws Problem server_config_invalid: steps could change them */
export function refuseDatabaseOwner({ name, uid }: StepAccount, owner: number | null): void {
  if (uid === owner)
    throw refused(
      `the embedded Postgres runs as ${name} too, so steps could change the database`,
      "Name another account, or another one for the database in SHIPINATOR_EMBEDDED_USER.",
    );
}

/**
 * The directories of a PATH that the account can enter, in their order. In others a shell finds a command that it may not
 * run, and says "Permission denied" instead of going on to the next. What does not exist may come yet, so it stays.
 */
export function enterablePath(path: string, { setpriv, uid, gid }: StepAccount): string {
  const entries = path.split(":");
  const script = 'for entry; do [ -x "$entry/." ] && printf "%s\\0" "$entry"; done; exit 0';
  const become = [`--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--no-new-privs", "--"];
  const entered = execFileSync(setpriv, [...become, "/bin/sh", "-c", script, "sh", ...entries], {
    cwd: "/",
    encoding: "utf8",
    env: {},
    stdio: ["ignore", "pipe", "ignore"],
  }).split("\0");
  return entries
    .filter((entry) => !entry.startsWith("/") || entered.includes(entry) || !existsSync(entry))
    .join(":");
}

function refused(fact: string, remedy: string, place = "local.user"): Problem {
  return new Problem("server_config_invalid", fact, { place, remedy });
}

type Entry = Pick<StepAccount, "uid" | "gid" | "home">;

/** /etc/passwd first, for it costs nothing; `getent` also knows accounts from a directory service. */
function lookUp(name: string): Entry | null {
  const own = find(readFileSync("/etc/passwd", "utf8"), name);
  if (own !== null) return own;
  try {
    const answer = execFileSync("getent", ["passwd", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return find(answer, name);
  } catch {
    // It is not there, or knows no such account: either way nobody does.
    return null;
  }
}

function find(passwd: string, name: string): Entry | null {
  for (const line of passwd.split("\n")) {
    const [user, , uid, gid, , home = "/"] = line.split(":");
    if (user === name && uid !== undefined && gid !== undefined)
      return { uid: Number(uid), gid: Number(gid), home };
  }
  return null;
}

function findSetpriv(): string {
  for (const place of places) {
    const path = join(place, "setpriv");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Looked for in the next place.
    }
  }
  throw new Problem("environment", "Steps cannot run as another account, because setpriv is missing.", {
    place: "local.user",
    remedy: "Install util-linux, or run the server under the account that steps are to have.",
  });
}
