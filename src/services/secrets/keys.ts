/**
 * The keys of secrets, from the configuration or from the file `secret-keys` in the data directory, one a line, which is
 * created at its first use and readable for its owner alone. One process at a time changes keys: see
 * `SecretStore.alone`.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import {
  makePrivateFile,
  type PrivateFile,
  readPrivateFile,
  replacePrivateFile,
  unusable,
} from "../auth/private-file.ts";
import { type Keyring, keyId } from "./encryption.ts";

export interface SecretKeys {
  /** The present keys; none where no secret was ever set. @throws Problem data_dir_unusable */
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
  if (given !== null) {
    const keys = given.map(decode);
    return { present: () => keys, ensure: () => keys, renew: () => keys, prune: () => {} };
  }
  const path = join(dataDir, "secret-keys");
  const file: PrivateFile = {
    path,
    subject: `the keys of secrets in ${path} are not used`,
    content: "the keys",
    remedy: "Bring the file back as it was (0600): without it no secret can be opened.",
  };
  const ensure = (): Keyring => {
    const keys = read(file);
    if (keys.length > 0) return keys;
    makePrivateFile(file, textOf([randomBytes(32)]));
    return read(file);
  };
  return {
    present: () => read(file),
    ensure,
    renew() {
      const keys = [randomBytes(32), ...ensure()];
      replacePrivateFile(file, textOf(keys));
      return keys;
    },
    prune(inUse) {
      const keys = read(file);
      const kept = keys.filter((key, index) => index === 0 || inUse.has(keyId(key)));
      if (kept.length < keys.length) replacePrivateFile(file, textOf(kept));
    },
  };
}

const decode = (text: string): Buffer => Buffer.from(text, "base64");
const textOf = (keys: Keyring): string => keys.map((key) => `${key.toString("base64")}\n`).join("");

function read(file: PrivateFile): Keyring {
  const text = readPrivateFile(file);
  if (text === null) return [];
  const lines = text.split("\n").filter(Boolean);
  if (lines.length === 0 || lines.some((line) => !/^[A-Za-z0-9+/]{43}=$/.test(line)))
    throw unusable(file, "what is in it is no key");
  return lines.map(decode);
}
