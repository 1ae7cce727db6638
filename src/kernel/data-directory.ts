/** The default data directory. */
import { isAbsolute, join } from "node:path";

/** @returns null when there is no home directory */
export function defaultDataDirectory(
  environment: Readonly<Record<string, string | undefined>>,
  { home, uid }: { readonly home: string | null; readonly uid: number },
): string | null {
  if (uid === 0) return "/var/lib/shipinator";
  const data = environment.XDG_DATA_HOME;
  // The XDG specification says to ignore a relative path.
  if (data !== undefined && isAbsolute(data)) return join(data, "shipinator");
  return home !== null && isAbsolute(home) ? join(home, ".local/share/shipinator") : null;
}
