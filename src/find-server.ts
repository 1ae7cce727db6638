/** The server that runs on this machine's data directory, as commands find it: by what it left there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadServerConfig } from "./config/index.ts";

export interface FindOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly configFile: string | null;
  readonly uid: number;
}

/** @returns null where none runs, or this account may not read its token */
export function findServer(options: FindOptions): { readonly url: string; readonly token: string } | null {
  const dataDir = dataDirectoryOf(options);
  try {
    const found: unknown = JSON.parse(readFileSync(join(dataDir, "server.json"), "utf8"));
    const token = readFileSync(join(dataDir, "admin-token"), "utf8").trim();
    if (typeof found !== "object" || found === null || !("url" in found)) return null;
    return { url: String(found.url), token };
  } catch {
    // Nothing there, or nothing for this account: the command goes on without a server.
    return null;
  }
}

function dataDirectoryOf({ environment, cwd, home, configFile, uid }: FindOptions): string {
  const path = configFile ?? environment.SHIPINATOR_CONFIG ?? null;
  const file = path === null ? null : { path, text: readFileSync(path, "utf8") };
  return loadServerConfig({ file, environment, machine: { home, uid, cores: 1, cwd } }).dataDir;
}
