/**
 * The directory of the Unix socket. It lies beside the data when its path is short enough for the kernel; else in /tmp
 * under a name that every process on the same data directory computes alike, and never one that another account made
 * first (TMPDIR and XDG_RUNTIME_DIR differ between a login and a service, and the latter vanishes with the login).
 */
import { createHash } from "node:crypto";
import { chmodSync, chownSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { errorCode, maxSocketPathBytes, Problem } from "../kernel/index.ts";
import type { Account } from "./account.ts";
import { type Layout, orUnusable } from "./layout.ts";

export const PORT = 5432;

/** Chooses by length alone, so that the answer never changes for one data directory and account. */
export function socketDirectory(layout: Layout, account: Account): string {
  const beside = join(layout.home, "socket");
  if (Buffer.byteLength(socketPath(beside)) <= maxSocketPathBytes) return beside;
  const hash = createHash("sha256").update(layout.data).digest("hex").slice(0, 16);
  return `/tmp/shipinator-${account.uid}-${hash}`;
}

export function socketPath(directory: string): string {
  return join(directory, `.s.PGSQL.${PORT}`);
}

/** Makes the directory, 0700 and the account's own. Problems: `data_dir_unusable`, `environment` for a hijacked one. */
export function prepareSocketDirectory(directory: string, account: Account): void {
  orUnusable(directory, () => {
    try {
      mkdirSync(directory, { mode: 0o700 });
      chmodSync(directory, 0o700);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    // A directory that root made changes hands, now or after an interruption; no other account can make one of root's.
    const made = lstatSync(directory);
    if ("uid" in account.identity && made.isDirectory() && made.uid === 0) {
      chownSync(directory, account.uid, account.gid);
    }
    const stat = lstatSync(directory);
    if (stat.isDirectory() && stat.uid === account.uid && (stat.mode & 0o077) === 0) return;
    throw new Problem(
      "environment",
      `The directory ${directory} for the database's socket is not a private directory of "${account.name}", ` +
        "so somebody else could stand in for the database. Nothing was started.",
      { remedy: `Look at who made it, and remove it: \`rm -r ${directory}\`.` },
    );
  });
}
