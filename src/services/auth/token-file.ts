/** File with one token, which only its owner can read. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { type PrivateFile, readPrivateFile, replacePrivateFile, unusable } from "./private-file.ts";
import { isSecret } from "./token-secret.ts";

/**
 * Reads the token. Null if the file is absent or has other content. With a `uid`, the file must belong to that account,
 * to root, or to the owner of its directory.
 * @throws Problem data_dir_unusable: others can read the file
 */
export function readTokenFile(path: string, uid: number | null): string | null {
  const file = fileAt(path);
  const text = readPrivateFile(file, (stats) => {
    if (uid !== null && ![uid, 0, statSync(dirname(path)).uid].includes(stats.uid))
      throw unusable(file, `it belongs to the account ${stats.uid}, which is not the data directory's`);
  })?.trim();
  return text !== undefined && isSecret(text) ? text : null;
}

/** @throws Problem data_dir_unusable */
export function writeTokenFile(path: string, secret: string): void {
  replacePrivateFile(fileAt(path), `${secret}\n`);
}

const fileAt = (path: string): PrivateFile => ({
  path,
  subject: `The admin's token in ${path} is not used`,
  content: "the token",
  remedy: "Remove the file. The next start makes a new token and revokes the old one.",
});
