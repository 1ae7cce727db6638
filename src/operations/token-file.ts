/** A file with one token in it, which its owner alone may read. */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { errorCode, errorMessage, Problem } from "../kernel/index.ts";
import { isSecret } from "./token-secret.ts";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;
const maxBytes = 1024;

/**
 * The token in it; null when there is no file, or something else in it. With a `uid`, it must belong to that account, to
 * root, or to the owner of its directory.
 * @throws Problem data_dir_unusable when it is not a file for one account alone
 */
export function readTokenFile(path: string, uid: number | null): string | null {
  let file: number;
  try {
    // Neither a link to somewhere else nor a FIFO that waits for a writer.
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw unusable(path, `it cannot be read: ${errorMessage(error)}`, error);
  }
  try {
    const stats = fstatSync(file);
    refuseUnsafe(path, stats, uid);
    if (stats.size > maxBytes) return null;
    const text = readFileSync(file, "utf8").trim();
    return isSecret(text) ? text : null;
  } finally {
    closeSync(file);
  }
}

function refuseUnsafe(path: string, stats: Stats, uid: number | null): void {
  if (!stats.isFile()) throw unusable(path, "it is not a regular file");
  if ((stats.mode & 0o077) !== 0)
    throw unusable(path, `its rights are ${(stats.mode & 0o777).toString(8)}, so others may know the token`);
  if (uid !== null && ![uid, 0, statSync(dirname(path)).uid].includes(stats.uid))
    throw unusable(path, `it belongs to the account ${stats.uid}, which is not the data directory's`);
}

/** Writes it beside its place and moves it there, so that nobody reads half a token. @throws Problem data_dir_unusable */
export function writeTokenFile(path: string, secret: string): void {
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = openSync(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      // Who owns the data directory reads it, also where root runs the server.
      const { uid, gid } = statSync(dirname(path));
      if (fstatSync(file).uid === 0 && uid !== 0) fchownSync(file, uid, gid);
      writeSync(file, `${secret}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
    syncDirectory(dirname(path));
  } catch (error) {
    remove(beside);
    throw unusable(path, `it cannot be written: ${errorMessage(error)}`, error);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, O_RDONLY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not made, or has been moved: the error that led here says more.
  }
}

function unusable(path: string, fact: string, cause?: unknown): Problem {
  return new Problem("data_dir_unusable", `the admin's token in ${path} is not used: ${fact}`, {
    place: path,
    remedy: "Remove the file; the next start makes a new token and revokes the old one.",
    cause,
  });
}
