/** What every command is given: the outside world, and how this invocation wants its answer. */
import { Problem } from "../kernel/index.ts";
import type { CliDeps, Writer } from "./deps.ts";
import { createStyle, type Style } from "./terminal/style.ts";

/** `table` is for people, in whatever form a command has; the others are data: all of it, or what things are named by. */
export const outputFormats = ["table", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface CommandContext {
  readonly deps: CliDeps;
  readonly format: OutputFormat;
  /** The server configuration file that was named, or null. */
  readonly configFile: string | null;
  /** The server that was named (`local`: the one on this data directory, or none), and the token. */
  readonly server: string | null;
  readonly token: string | null;
  /** The file with certificates of authorities that was named, or null. */
  readonly caFile: string | null;
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
  readonly caFile: string | null;
}

export const noOptions: GlobalOptions = {
  format: "table",
  configFile: null,
  server: null,
  token: null,
  caFile: null,
};

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

/** Whether a program reads the answer. */
export const asData = ({ format }: Pick<CommandContext, "format">): boolean => format !== "table";

/** One document on stdout; with `name` a line for each thing. @throws Problem usage: it has no names */
export async function writeData(
  { out, format }: Pick<CommandContext, "out" | "format">,
  value: unknown,
): Promise<void> {
  if (format === "name") out.write([value].flat().map(nameOf).join(""));
  else if (format === "yaml") out.write(await (await import("../config/index.ts")).yamlText(value));
  else out.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** What another command takes for it: its id where it has one. */
function nameOf(value: unknown): string {
  const fields: Readonly<Record<string, unknown>> = { ...(typeof value === "object" ? value : {}) };
  const name = [fields.id, fields.name, fields.seq, fields.run_id, fields.path].find(
    (one) => typeof one === "string" || typeof one === "number",
  );
  if (name === undefined)
    throw new Problem("usage", "what this command answers has no names", { remedy: "Ask for -o json." });
  return `${name}\n`;
}
