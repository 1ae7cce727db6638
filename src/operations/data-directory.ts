/** The data directory and what lies directly below it. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode, errorMessage, Problem } from "../kernel/index.ts";

/**
 * Makes the data directory, and below it (or elsewhere) directories for this account alone. Root's own stays passable,
 * because Postgres runs under another account and walks through.
 * @throws Problem data_dir_unusable
 */
export function makeDataDirectory(dataDir: string, uid: number, own: readonly string[]): void {
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
    mkdirSync(path, { mode });
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    if (code !== "ENOENT" || existsSync(dirname(path))) throw error;
    makeDirectory(dirname(path), mode);
    mkdirSync(path, { mode });
  }
}
