/** Logins that `docker login` has left in plain form. Credential helpers are programs of their own and are not asked. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, errorMessage, Problem } from "../kernel/index.ts";

/**
 * A function that gives `user:password` in base64 for a registry's `host[:port]`, or null.
 * @param directory Docker's configuration directory (`~/.docker`)
 */
export function dockerCredentials(directory: string): (host: string) => Promise<string | null> {
  const file = join(directory, "config.json");
  return async (host) => {
    const auths = await readAuths(file);
    for (const key of [host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`]) {
      const entry = auths[key];
      if (typeof entry === "object" && entry !== null && "auth" in entry && typeof entry.auth === "string")
        return entry.auth;
    }
    return null;
  };
}

async function readAuths(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return {};
    throw new Problem("environment", `Docker's logins cannot be read: ${errorMessage(error)}`, {
      place: file,
      cause: error,
    });
  }
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config !== "object" || config === null || !("auths" in config)) return {};
    return typeof config.auths === "object" && config.auths !== null ? { ...config.auths } : {};
  } catch (error) {
    throw new Problem("environment", `Docker's logins cannot be read: ${errorMessage(error)}`, {
      place: file,
      remedy: "Mend the file, or log in again.",
      cause: error,
    });
  }
}
