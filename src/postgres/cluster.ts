/**
 * The database cluster on disk: made once, whole or not at all, and always of one major version. The password of its
 * only role lies inside it, so that the two cannot part.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode, Problem } from "../kernel/index.ts";
import type { Account } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { type Layout, orUnusable, reasonOf, unusable } from "./layout.ts";
import { scrubbedEnvironment } from "./postmaster.ts";
import { complaints, tellsOfFullDisk } from "./server-log.ts";

export const ROLE = "shipinator";
const DRAFT = "initdb-";

export function clusterExists(layout: Layout): boolean {
  return existsSync(join(layout.data, "PG_VERSION"));
}

export function readPassword(layout: Layout): string {
  return orUnusable(layout.data, () => readFileSync(join(layout.data, "password"), "utf8").trim());
}

/** Problem `data_dir_unusable` when another major version made it: its files mean something else to this one. */
export function checkCluster(layout: Layout, major: string): void {
  const found = orUnusable(layout.data, () => readFileSync(join(layout.data, "PG_VERSION"), "utf8").trim());
  if (found !== major) {
    throw unusable(
      layout.data,
      `its database was made by Postgres ${found}, and this program brings ${major}`,
      {
        remedy:
          `Run the version of Shipinator that brings Postgres ${found}, back up with it, and restore into a new data ` +
          "directory with this one.",
      },
    );
  }
  // A volume that is mounted with a group's rights added (fsGroup) makes Postgres refuse its own files.
  if ((statSync(layout.data).mode & 0o077) !== 0) chmodSync(layout.data, 0o700);
}

/** Makes the cluster. When another process was faster, its cluster stands and ours is dropped. */
export async function createCluster(layout: Layout, binaries: Binaries, account: Account): Promise<void> {
  const draft = join(layout.home, `${DRAFT}${randomBytes(6).toString("hex")}`);
  const [data, password] = [join(draft, "data"), join(draft, "password")];
  try {
    orUnusable(draft, () => {
      mkdirSync(draft, { mode: 0o700 });
      writeFileSync(password, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
      if ("uid" in account.identity) {
        for (const path of [password, draft]) chownSync(path, account.uid, account.gid);
      }
    });
    const { failed, output } = await runInitdb(binaries, account, data, password);
    if (failed && clusterExists(layout)) return;
    if (failed) throw initdbProblem(layout, output);
    renameSync(password, join(data, "password"));
    flush(join(data, "password"));
    flush(data);
    renameSync(data, layout.data);
    flush(layout.home);
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (clusterExists(layout)) return;
    throw unusable(layout.data, reasonOf(error), { cause: error });
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Drafts of killed processes. Called when the cluster stands: who still works on one has lost and will find it. */
export function removeLeftovers(layout: Layout, keepBinaries: string): void {
  for (const name of readdirSync(layout.home)) {
    const stale = name.startsWith(DRAFT) || (name.startsWith("bin-") && name !== keepBinaries);
    if (stale) rmSync(join(layout.home, name), { recursive: true, force: true });
  }
}

function runInitdb(binaries: Binaries, account: Account, data: string, passwordFile: string) {
  const child = spawn(
    binaries.initdb,
    [
      ...["-D", data, "--username", ROLE, "--pwfile", passwordFile],
      ...["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--data-checksums", "--no-instructions"],
      // The password is 256 random bits: there is nothing to guess that more rounds would slow down.
      ...["--set", "scram_iterations=1"],
    ],
    {
      ...account.identity,
      cwd: "/",
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: scrubbedEnvironment,
    },
  );
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise<{ failed: boolean; output: string }>((resolve, reject) => {
    child.once("error", (error) => reject(cannotRun(binaries.initdb, error)));
    child.once("close", (code) => resolve({ failed: code !== 0, output: Buffer.concat(chunks).toString() }));
  });
}

/** The kernel says ENOENT when the file is there and its loader is not. */
export function cannotRun(binary: string, error: Error): Problem {
  const reason =
    errorCode(error) === "ENOENT" && existsSync(binary)
      ? "they need glibc, which this system (Alpine?) does not have"
      : reasonOf(error);
  return new Problem("environment", `The binaries of the embedded Postgres do not run here: ${reason}.`, {
    place: binary,
    remedy: "Set SHIPINATOR_DB_HOST to a Postgres of your own.",
    cause: error,
  });
}

function initdbProblem(layout: Layout, output: string): Problem {
  const uid = /could not look up effective user ID (\d+)/.exec(output)?.[1];
  if (uid !== undefined) {
    return new Problem(
      "environment",
      `uid ${uid} has no entry in /etc/passwd, and Postgres makes no database without.`,
      {
        remedy:
          "Run as a user with an account (in a container: add a line to /etc/passwd), or set SHIPINATOR_DB_HOST.",
      },
    );
  }
  const lines = complaints(output);
  if (tellsOfFullDisk(output)) return unusable(layout.data, "its disk is full");
  return unusable(layout.data, `no database could be made in it: ${lines.join(" ")}`);
}

function flush(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
