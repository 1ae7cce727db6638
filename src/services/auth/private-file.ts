/**
 * Small files that only one account can read: keys and tokens. They are written to a temporary file and renamed, so that
 * readers see whole files. They belong to the owner of their directory, even if root writes them.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { errorCode, errorMessage, Problem } from "../../kernel/index.ts";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;
const maxBytes = 65_536;

export interface PrivateFile {
  readonly path: string;
  /** Fact for errors: `The admin's token in … is not used`. */
  readonly subject: string;
  /** Name of the content for errors: `the token`. */
  readonly content: string;
  readonly remedy: string;
}

/** Reads the file. Null if it is absent. @throws Problem data_dir_unusable: others can read it */
export function readPrivateFile(file: PrivateFile, check?: (stats: Stats) => void): string | null {
  let handle: number;
  try {
    // Reject links, and do not wait for the writer of a FIFO.
    handle = openSync(file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw unusable(file, `it cannot be read: ${errorMessage(error)}`, error);
  }
  try {
    const stats = fstatSync(handle);
    if (!stats.isFile()) throw unusable(file, "it is not a regular file");
    const rights = stats.mode & 0o777;
    if ((rights & 0o077) !== 0)
      throw unusable(file, `its rights are ${rights.toString(8)}, so others may know ${file.content}`);
    check?.(stats);
    // A longer file is not valid anyway.
    const bytes = Buffer.alloc(maxBytes);
    return bytes.toString("utf8", 0, readSync(handle, bytes, 0, maxBytes, 0));
  } finally {
    closeSync(handle);
  }
}

/** @throws Problem data_dir_unusable */
export function replacePrivateFile(file: PrivateFile, text: string): void {
  put(file, text, (beside) => renameSync(beside, file.path));
}

/** Creates the file, unless another process was first. @throws Problem data_dir_unusable */
export function makePrivateFile(file: PrivateFile, text: string): void {
  put(file, text, (beside) => {
    try {
      linkSync(beside, file.path);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    unlinkSync(beside);
  });
}

function put(file: PrivateFile, text: string, place: (beside: string) => void): void {
  const beside = `${file.path}.${randomBytes(6).toString("hex")}`;
  const directory = dirname(file.path);
  try {
    const handle = openSync(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      const { uid, gid } = statSync(directory);
      if (fstatSync(handle).uid === 0 && uid !== 0) fchownSync(handle, uid, gid);
      writeSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    place(beside);
    syncDirectory(directory);
  } catch (error) {
    remove(beside);
    throw unusable(file, `it cannot be written: ${errorMessage(error)}`, error);
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
    // The file does not exist. The first error is more useful.
  }
}

export function unusable(file: PrivateFile, fact: string, cause?: unknown): Problem {
  return new Problem("data_dir_unusable", `${file.subject}: ${fact}.`, {
    place: file.path,
    remedy: file.remedy,
    ...(cause === undefined ? {} : { cause }),
  });
}
