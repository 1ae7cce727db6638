/** Logins that `docker login` has left in plain form. Credential helpers are programs of their own and are not asked. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, errorMessage, Problem } from "../../kernel/index.ts";

/**
 * A function that gives `user:password` in base64 for a registry's `host[:port]`, or null.
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

/** Under which names `docker login` may have kept a host. Docker Hub's name there is not that of its registry. */
function keysOf(host: string): readonly string[] {
  const own = [host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`];
  return host === "registry-1.docker.io" ? ["https://index.docker.io/v1/", ...own] : own;
}

/** A login that a helper keeps is noted with an empty `auth`, or none; what could not stand in a header is none. */
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
    throw new Problem("environment", `Docker's logins cannot be read: ${errorMessage(error)}`, {
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
    // The parser's own message quotes what it stumbled over, which may be a login.
    throw new Problem("environment", "Docker's logins cannot be read: the file is not JSON", {
      place: file,
      remedy: "Mend the file, or log in again.",
    });
  }
}
