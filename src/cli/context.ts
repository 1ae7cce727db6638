/** What every command is given: the outside world, and how this invocation wants its answer. */
import type { CliDeps, Writer } from "./deps.ts";
import { createStyle, type Style } from "./terminal/style.ts";

export type OutputFormat = "text" | "json";

export interface CommandContext {
  readonly deps: CliDeps;
  readonly format: OutputFormat;
  /** The server configuration file that was named, or null. */
  readonly configFile: string | null;
  /** The server that was named (`local`: the one on this data directory, or none), and the token. */
  readonly server: string | null;
  readonly token: string | null;
  /** The answer's stream and its style. */
  readonly out: Writer;
  readonly style: Style;
  readonly errStyle: Style;
}

export interface GlobalOptions {
  readonly format: OutputFormat;
  readonly configFile: string | null;
  readonly server: string | null;
  readonly token: string | null;
}

export const noOptions: GlobalOptions = { format: "text", configFile: null, server: null, token: null };

export function createContext(deps: CliDeps, options: GlobalOptions): CommandContext {
  return {
    deps,
    ...options,
    out: deps.stdout,
    style: createStyle(deps.stdout, deps.environment),
    errStyle: createStyle(deps.stderr, deps.environment),
  };
}

/** Something a person should know beside the answer, on stderr. */
export function note({ deps, errStyle }: Pick<CommandContext, "deps" | "errStyle">, text: string): void {
  deps.stderr.write(`${errStyle.yellow("note:")} ${text}\n`);
}

/** One JSON document, indented, on stdout. */
export function writeJson({ out }: Pick<CommandContext, "out">, value: unknown): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`);
}
