/**
 * Where the keys of secrets are: in the configuration, or in `secret-keys` in the data directory, one to a line, which is
 * made at its first use and which its owner alone may read. Changes are made by one process at a time: see
 * `SecretStore.alone`.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage, Problem } from "../kernel/index.ts";
import { type Keyring, keyId } from "./secret-box.ts";

export interface SecretKeys {
  /** Those that there are; none where no secret was ever set here. @throws Problem data_dir_unusable */
  present(): Keyring;
  /** At least one. @throws Problem data_dir_unusable */
  ensure(): Keyring;
  /**
   * A new key comes first, beside the old ones: the first step of a change, which may be the last without loss. Configured
   * keys are given as they are.
   */
  renew(): Keyring;
  /** The last step: what seals nothing goes, but for the first. Configured keys stay. @param inUse ids of keys */
  prune(inUse: ReadonlySet<string>): void;
}

/** @param given 32 bytes in base64 each, from the configuration; null: they are in the file */
export function createSecretKeys(dataDir: string, given: readonly string[] | null): SecretKeys {
  const path = join(dataDir, "secret-keys");
  if (given !== null) {
    const keys = given.map(decode);
    return { present: () => keys, ensure: () => keys, renew: () => keys, prune: () => {} };
  }
  const ensure = (): Keyring => {
    const keys = read(path);
    if (keys.length > 0) return keys;
    make(path);
    return read(path);
  };
  return {
    present: () => read(path),
    ensure,
    renew() {
      const keys = [randomBytes(32), ...ensure()];
      write(path, keys);
      return keys;
    },
    prune(inUse) {
      const keys = read(path);
      const kept = keys.filter((key, index) => index === 0 || inUse.has(keyId(key)));
      if (kept.length < keys.length) write(path, kept);
    },
  };
}

const decode = (text: string): Buffer => Buffer.from(text, "base64");

function read(path: string): Keyring {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw unusable(path, `it cannot be read: ${errorMessage(error)}`, error);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw unusable(path, "it is not a regular file");
    if ((stat.mode & 0o077) !== 0)
      throw unusable(path, `its rights are ${(stat.mode & 0o777).toString(8)}, so others may know the keys`);
    const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
    if (lines.length === 0 || lines.some((line) => !/^[A-Za-z0-9+/]{43}=$/.test(line)))
      throw unusable(path, "what is in it is no key");
    return lines.map(decode);
  } finally {
    closeSync(file);
  }
}

/** Of two processes that make it at once, one makes it. */
function make(path: string): void {
  const beside = aside(path, [randomBytes(32)]);
  try {
    linkSync(beside, path);
  } catch (error) {
    if (errorCode(error) !== "EEXIST")
      throw unusable(path, `it cannot be made: ${errorMessage(error)}`, error);
  } finally {
    unlinkSync(beside);
  }
}

function write(path: string, keys: Keyring): void {
  renameSync(aside(path, keys), path);
}

function aside(path: string, keys: Keyring): string {
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = openSync(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      writeSync(file, keys.map((key) => `${key.toString("base64")}\n`).join(""));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return beside;
  } catch (error) {
    throw unusable(path, `it cannot be written: ${errorMessage(error)}`, error);
  }
}

function unusable(path: string, fact: string, cause?: unknown): Problem {
  return new Problem("data_dir_unusable", `the keys of secrets in ${path} are not used: ${fact}`, {
    place: path,
    remedy: "Bring the file back as it was (0600): without it no secret can be opened.",
    ...(cause === undefined ? {} : { cause }),
  });
}
