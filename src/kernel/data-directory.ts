/** Where everything is kept when nobody has said where. */
import { isAbsolute, join } from "node:path";

/** @returns null where there is no home directory to keep anything in */
export function defaultDataDirectory(
  environment: Readonly<Record<string, string | undefined>>,
  { home, uid }: { readonly home: string | null; readonly uid: number },
): string | null {
  if (uid === 0) return "/var/lib/shipinator";
  const data = environment.XDG_DATA_HOME;
  // The specification says that a relative path in it is to be ignored.
  if (data !== undefined && isAbsolute(data)) return join(data, "shipinator");
  return home !== null && isAbsolute(home) ? join(home, ".local/share/shipinator") : null;
}
