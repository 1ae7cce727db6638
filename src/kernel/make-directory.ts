/** Directories that several processes may create at the same moment. */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode } from "./problem.ts";

/**
 * Creates a directory and its parents with exactly this mode, independent of the umask, because the account of a step or
 * of the database must be able to enter it. Node's recursive `mkdir` hangs where nothing can be created, such as in /proc.
 */
export function makeDirectory(path: string, mode: number): void {
  try {
    makeSingle(path, mode);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    makeDirectory(dirname(path), mode);
    makeSingle(path, mode);
  }
}

/** Tolerates another process that creates the same directory. */
function makeSingle(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode);
  } catch (error) {
    if (errorCode(error) !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
