/** Pure decisions about names: what may be in an archive, and relative to what. Names are POSIX paths. */
import path from "node:path";

const wildcard = /[*?[{]/;

/**
 * The directory that a bundle's names are relative to: the declared directory itself, or the part of a glob before its
 * first wildcard; "" is the workspace. A file outside of it (a pattern of some other syntax) makes it the workspace.
 */
export function bundlePrefix(declaredPath: string, files: readonly string[]): string {
  const segments = path.posix.normalize(declaredPath).replace(/\/$/, "").split("/");
  const magic = segments.findIndex((segment) => wildcard.test(segment));
  const prefix = (magic === -1 ? segments : segments.slice(0, magic)).join("/");
  const usable = prefix !== "." && prefix !== "" && files.every((file) => file.startsWith(`${prefix}/`));
  return usable ? prefix : "";
}

/** The segments of a relative path that stays where it is; null for anything absolute, empty, or with `.` or `..`. */
export function safeSegments(name: string): readonly string[] | null {
  const segments = name.split("/");
  const bad = segments.some((segment) => segment === "" || segment === "." || segment === "..");
  return bad || name.includes("\0") ? null : segments;
}

/**
 * Whether a symlink at `name` cannot lead out of the bundle. `..` is allowed at the front alone: there it climbs real
 * directories, while behind a name it could climb out of wherever another symlink leads.
 */
export function linkStaysInside(name: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const segments = target.split("/").filter((segment) => segment !== "" && segment !== ".");
  const firstName = segments.findIndex((segment) => segment !== "..");
  const climbs = firstName === -1 ? segments.length : firstName;
  const depth = name.split("/").length - 1;
  return climbs <= depth && !segments.slice(climbs).includes("..");
}

/** What an archive keeps of a file's mode: whether it can be executed. */
export const archiveMode = (mode: number): number => ((mode & 0o111) === 0 ? 0o644 : 0o755);
