/** The data directory and what lies directly below it. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode, errorMessage, Problem } from "../kernel/index.ts";

/** What a restore unpacks first and removes last: while it is there, the rest is not whole. */
export const restoreMark = (dataDir: string): string => join(dataDir, "restoring");

/**
 * Makes the data directory, and below it (or elsewhere) directories for this account alone. Root's own stays passable,
 * because Postgres runs under another account and walks through.
 * @throws Problem data_dir_unusable
 */
export function makeDataDirectory(dataDir: string, uid: number, own: readonly string[]): void {
  if (existsSync(restoreMark(dataDir)))
    throw new Problem("data_dir_unusable", "a backup is being restored into it, or that was cut short", {
      place: dataDir,
      remedy: "Wait for the restore; where none runs, remove the directory and restore once more.",
    });
  try {
    makeDirectory(dataDir, uid === 0 ? 0o711 : 0o700);
    for (const path of own) makeDirectory(path, 0o700);
  } catch (error) {
    throw new Problem("data_dir_unusable", `the data directory cannot be made: ${errorMessage(error)}`, {
      place: dataDir,
      remedy: "Name another one with SHIPINATOR_DATA_DIR.",
      cause: error,
    });
  }
}

/** With its parents. Node's own recursive mkdir never returns where a parent exists that cannot have children (/proc). */
function makeDirectory(path: string, mode: number): void {
  try {
    makeOne(path, mode);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    makeDirectory(dirname(path), mode);
    makeOne(path, mode);
  }
}

/** Another process may have made it just now: two first commands at once have one home. */
function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (errorCode(error) !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
