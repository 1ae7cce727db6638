/** Where the program's own configuration is kept: a file that was named, by an option or by a variable. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { errorMessage, Problem } from "../../kernel/index.ts";
import type { FileSettings } from "./sources.ts";

export interface NamedConfig {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** As the person named it; else SHIPINATOR_CONFIG, else none. */
  readonly configFile: string | null;
}

/**
 * What is wrong in the file comes out with the rest of the configuration. What reads YAML is loaded where there is one: it
 * is a tenth of the start of a command that opens the database.
 * @throws Problem server_config_invalid: it cannot be read
 */
export async function readConfigFile({
  environment,
  cwd,
  configFile,
}: NamedConfig): Promise<FileSettings | null> {
  // An empty variable counts as not set, as all of them do.
  const named = configFile ?? (environment.SHIPINATOR_CONFIG || null);
  if (named === null) return null;
  const path = resolve(cwd, named);
  let text: Uint8Array;
  try {
    // As bytes, so that a wrong encoding is told and does not silently change a password.
    text = readFileSync(path);
  } catch (error) {
    throw new Problem(
      "server_config_invalid",
      `the configuration ${path} cannot be read: ${errorMessage(error)}`,
      {
        remedy: `Correct ${configFile === null ? "SHIPINATOR_CONFIG" : "--config"}, or leave it out.`,
        cause: error,
      },
    );
  }
  const { readServerFile } = await import("./file.ts");
  return readServerFile({ path, text });
}
