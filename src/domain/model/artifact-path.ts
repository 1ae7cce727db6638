/** Where an output may be: checked when the file is read, and again by whoever fills a variable into a path. */

/** Why a path cannot name an output inside the workspace, as a predicate, or null where it can. */
export function artifactPathFault(path: string): string | null {
  if (path.trim() === "") return "is empty";
  if (/\p{Cc}/u.test(path)) return "holds a newline or another control character";
  if (path.startsWith("/")) return "is absolute; it must be relative to the workspace";
  if (path.split("/").includes("..")) return 'leads out of the workspace by ".."';
  if (cleanArtifactPath(path) === ".")
    return "is the workspace itself; name a file, a directory or a pattern in it";
  return null;
}

/** Without `../`, doubled and closing slashes; `.` is the workspace itself. */
export function cleanArtifactPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 ? "." : parts.join("/");
}
