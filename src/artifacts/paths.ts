/** Decides about names in archives. Pure. Names are POSIX paths. */
import path from "node:path";

const wildcard = /[*?[{]/;

/**
 * Directory that the names of a bundle are relative to: the declared directory, or the part of a glob before its first
 * wildcard. "" is the workspace, also if a file is outside of that directory (a pattern with other syntax).
 */
export function bundlePrefix(declaredPath: string, files: readonly string[]): string {
  const segments = path.posix.normalize(declaredPath).replace(/\/$/, "").split("/");
  const magic = segments.findIndex((segment) => wildcard.test(segment));
  const prefix = (magic === -1 ? segments : segments.slice(0, magic)).join("/");
  const usable = prefix !== "." && prefix !== "" && files.every((file) => file.startsWith(`${prefix}/`));
  return usable ? prefix : "";
}

/** Splits a relative path into segments. Null if it is absolute or empty, or contains `.` or `..`. */
export function safeSegments(name: string): readonly string[] | null {
  const segments = name.split("/");
  const bad = segments.some((segment) => segment === "" || segment === "." || segment === "..");
  return bad || name.includes("\0") ? null : segments;
}

/**
 * True if a symlink at `name` cannot lead out of the bundle. `..` is allowed only at the beginning, where it climbs real
 * directories. After a name it could climb out of the target of another symlink.
 */
export function linkStaysInside(name: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const segments = target.split("/").filter((segment) => segment !== "" && segment !== ".");
  const firstName = segments.findIndex((segment) => segment !== "..");
  const climbs = firstName === -1 ? segments.length : firstName;
  const depth = name.split("/").length - 1;
  return climbs <= depth && !segments.slice(climbs).includes("..");
}

/** Mode of a file in an archive, which keeps only the executable bit. */
export const archiveMode = (mode: number): number => ((mode & 0o111) === 0 ? 0o644 : 0o755);
