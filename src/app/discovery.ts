/** Finds the running server of this machine's data directory by the files that it writes there. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { defaultDataDirectory } from "../kernel/index.ts";
import { aliveBy, runningServer } from "./running-server.ts";

export interface FindOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly configFile: string | null;
  readonly uid: number;
  readonly kill: (pid: number, signal: 0) => void;
}

/** @returns null when no server runs, or its token is not readable */
export async function findServer(options: FindOptions): Promise<{
  readonly url: string;
  readonly token: string;
  readonly socket: string | null;
} | null> {
  const dataDir = await dataDirectoryOf(options);
  if (dataDir === null) return null;
  const found = await runningServer(dataDir, aliveBy(options.kill));
  if (found === null) return null;
  try {
    const token = readFileSync(join(dataDir, "admin-token"), "utf8").trim();
    return { url: found.url, token, socket: found.socket };
  } catch {
    // The file is absent or not readable, so the command continues without a server.
    return null;
  }
}

/** Reads the whole configuration only when there is a file, because that takes longer than the rest of a command. */
async function dataDirectoryOf({
  environment,
  cwd,
  home,
  configFile,
  uid,
}: FindOptions): Promise<string | null> {
  const path = configFile ?? environment.SHIPINATOR_CONFIG ?? "";
  if (path === "") {
    const named = environment.SHIPINATOR_DATA_DIR ?? "";
    return named === "" ? defaultDataDirectory(environment, { home, uid }) : resolve(cwd, named);
  }
  const { loadServerConfig, readConfigFile } = await import("../config/index.ts");
  const file = await readConfigFile({ environment, cwd, configFile });
  return loadServerConfig({ file, environment, machine: { home, uid, cores: 1, cwd } }).dataDir;
}
