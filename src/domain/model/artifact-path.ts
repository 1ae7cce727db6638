/** The rules for paths of outputs: checked when the file is read, and again when a variable is filled into a path. */

/** Returns the fault of a path that cannot name an output inside the workspace, as a predicate; null: it can. */
export function artifactPathFault(path: string): string | null {
  if (path.trim() === "") return "is empty";
  if (/\p{Cc}/u.test(path)) return "holds a newline or another control character";
  if (path.startsWith("/")) return "is absolute; it must be relative to the workspace";
  if (path.split("/").includes("..")) return 'leads out of the workspace by ".."';
  if (cleanArtifactPath(path) === ".")
    return "is the workspace itself; name a file, a directory or a pattern in it";
  return null;
}

/** Removes `./` and doubled and closing slashes; `.` is the workspace itself. */
export function cleanArtifactPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 ? "." : parts.join("/");
}
