/** The server's configuration from where it is kept: a file that was named, variables over it. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { loadServerConfig, readConfigFile, type ServerConfig } from "../config/index.ts";
import { errorMessage, Problem } from "../kernel/index.ts";

export interface SettingsOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly uid: number;
  /** The path as the person named it, else SHIPINATOR_CONFIG, else null. */
  readonly configFile: string | null;
}

/** @throws Problem server_config_invalid */
export async function readSettings({
  environment,
  cwd,
  home,
  uid,
  configFile,
}: SettingsOptions): Promise<ServerConfig> {
  const file = await readConfigFile({ environment, cwd, configFile });
  return loadServerConfig({ file, environment, machine: { home, uid, cores: availableParallelism(), cwd } });
}

/** A text that the configuration names. @throws Problem server_config_invalid */
export function readSettingsFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Problem("server_config_invalid", `${path} cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
