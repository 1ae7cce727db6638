/** The server that runs on this machine's data directory, as commands find it: by what it left there. */
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

/** @returns null where none runs, or this account may not read its token */
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
    // Nothing there, or nothing for this account: the command goes on without a server.
    return null;
  }
}

/** The whole configuration is read only where a file may say more: it takes longer than all else a command does. */
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
