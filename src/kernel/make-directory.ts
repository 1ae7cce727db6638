/** Directories that several processes may make at the same moment. */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode } from "./problem.ts";

/**
 * Makes a directory with its parents, with exactly this mode whatever the umask is: a step's account or the database's
 * must pass through. Node's own recursive `mkdir` never returns where nothing can be made, as in /proc.
 */
export function makeDirectory(path: string, mode: number): void {
  try {
    makeOne(path, mode);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    makeDirectory(dirname(path), mode);
    makeOne(path, mode);
  }
}

/** Another process may have made it just now. */
function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode);
  } catch (error) {
    if (errorCode(error) !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
