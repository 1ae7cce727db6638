/** Reads the configuration file that an option or a variable names. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { errorMessage, Problem } from "../../kernel/index.ts";
import type { FileSettings } from "./sources.ts";

export interface ConfigFileOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The path that the user gave, or null for SHIPINATOR_CONFIG or no file. */
  readonly configFile: string | null;
}

/**
 * Reads the file. Faults in its content are reported together with the rest of the configuration. The YAML parser is
 * loaded only when there is a file, because it takes a tenth of the startup of a command that opens the database.
 * @throws Problem server_config_invalid when the file cannot be read
 */
export async function readConfigFile({
  environment,
  cwd,
  configFile,
}: ConfigFileOptions): Promise<FileSettings | null> {
  const named = configFile ?? (environment.SHIPINATOR_CONFIG || null);
  if (named === null) return null;
  const path = resolve(cwd, named);
  let text: Uint8Array;
  try {
    // Bytes, so that a wrong encoding is reported and does not silently change a password.
    text = readFileSync(path);
  } catch (error) {
    throw new Problem(
      "server_config_invalid",
      `The configuration ${path} cannot be read: ${errorMessage(error)}.`,
      {
        remedy: `Correct or remove ${configFile === null ? "SHIPINATOR_CONFIG" : "--config"}.`,
        cause: error,
      },
    );
  }
  const { readServerFile } = await import("./file.ts");
  return readServerFile({ path, text });
}
