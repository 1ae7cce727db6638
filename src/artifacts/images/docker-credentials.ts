/** Reads the plain logins of `docker login`. Does not run credential helpers. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, errorMessage, Problem } from "../../kernel/index.ts";

/**
 * Returns a function that gives `user:password` in base64 for a registry's `host[:port]`, or null.
 * @param directory Docker's configuration directory (`~/.docker`)
 */
export function dockerCredentials(directory: string): (host: string) => Promise<string | null> {
  const file = join(directory, "config.json");
  return async (host) => {
    const auths = await readAuths(file);
    for (const key of keysOf(host)) {
      const auth = authOf(auths[key]);
      if (auth !== null) return auth;
    }
    return null;
  };
}

/** Names under which `docker login` may have stored a host. The name of Docker Hub differs from its registry's. */
function keysOf(host: string): readonly string[] {
  const own = [host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`];
  return host === "registry-1.docker.io" ? ["https://index.docker.io/v1/", ...own] : own;
}

/** Reads a valid login. A login in a credential helper has an empty `auth` or none. */
function authOf(entry: unknown): string | null {
  if (typeof entry !== "object" || entry === null || !("auth" in entry)) return null;
  return typeof entry.auth === "string" && /^[A-Za-z0-9+/]+=*$/.test(entry.auth) ? entry.auth : null;
}

async function readAuths(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return {};
    throw new Problem("environment", `Docker's logins cannot be read: ${errorMessage(error)}.`, {
      place: file,
      cause: error,
    });
  }
  const config = parse(text, file);
  if (typeof config !== "object" || config === null || !("auths" in config)) return {};
  return typeof config.auths === "object" && config.auths !== null ? { ...config.auths } : {};
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message may quote a login.
    throw new Problem("environment", "Docker's logins cannot be read: the file is not JSON.", {
      place: file,
      remedy: "Repair the file, or log in again.",
    });
  }
}
