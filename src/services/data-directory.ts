/** The data directory and what lies directly below it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, makeDirectory, Problem } from "../kernel/index.ts";

/** The file that a restore creates first and removes last: while it exists, the directory is incomplete. */
export const restoreMark = (dataDir: string): string => join(dataDir, "restoring");

/**
 * Makes the data directory, and below it (or elsewhere) directories for this account alone. Root's own stays passable,
 * because Postgres runs under another account and walks through.
 * @throws Problem data_dir_unusable
 */
export function makeDataDirectory(dataDir: string, uid: number, own: readonly string[]): void {
  if (existsSync(restoreMark(dataDir)))
    throw new Problem(
      "data_dir_unusable",
      "A restore of a backup into this directory is running or was cut short.",
      {
        place: dataDir,
        remedy: "Wait for the restore. If none runs, remove the directory and restore again.",
      },
    );
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
