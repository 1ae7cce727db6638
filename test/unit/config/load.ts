/** The server's configuration as a machine of four cores has it. */
import { loadServerConfig, type Machine, type ServerConfig } from "../../../src/config/index.ts";
import { readServerFile } from "../../../src/config/server/file.ts";
import { Problem } from "../../../src/kernel/index.ts";

const machine: Machine = { home: "/home/ada", uid: 1000, cores: 4, cwd: "/work" };
type Environment = Record<string, string | undefined>;

export function load(environment: Environment, text?: string, on: Partial<Machine> = {}): ServerConfig {
  const file = text === undefined ? null : readServerFile({ path: "/etc/shipinator.yaml", text });
  return loadServerConfig({ file, environment, machine: { ...machine, ...on } });
}

/** What is said of a configuration that is refused. */
export function problem(environment: Environment, text?: string, on: Partial<Machine> = {}): Problem {
  try {
    load(environment, text, on);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("expected a problem");
}
