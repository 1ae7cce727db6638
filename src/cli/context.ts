/** The context of a command: its dependencies and the options of the invocation. */
import { Problem } from "../kernel/index.ts";
import type { CliDeps, Writer } from "./deps.ts";
import { createStyle, type Style } from "./terminal/style.ts";

/** `table` is text for people. The others are data: everything, or only names. */
export const outputFormats = ["table", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface CommandContext {
  readonly deps: CliDeps;
  readonly format: OutputFormat;
  /** Path of the configuration file, or null. */
  readonly configFile: string | null;
  /** Address of the server, `local` for the server of this data directory if it runs, or null. */
  readonly server: string | null;
  readonly token: string | null;
  /** Path of a file with CA certificates, or null. */
  readonly caFile: string | null;
  /** The stream of the result. */
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

/** Prints a note for people on stderr. */
export function note({ deps, errStyle }: Pick<CommandContext, "deps" | "errStyle">, text: string): void {
  deps.stderr.write(`${errStyle.yellow("note:")} ${text}\n`);
}

/** Tests whether the output is data for a program. */
export const asData = ({ format }: Pick<CommandContext, "format">): boolean => format !== "table";

/** Writes one document to stdout, or with `name` a line per item. @throws Problem usage when the items have no names */
export async function writeData(
  { out, format }: Pick<CommandContext, "out" | "format">,
  value: unknown,
): Promise<void> {
  if (format === "name") out.write([value].flat().map(nameOf).join(""));
  else if (format === "yaml") out.write(await (await import("../config/index.ts")).yamlText(value));
  else out.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** The reference that other commands accept: the id, or else another name. */
function nameOf(value: unknown): string {
  const fields: Readonly<Record<string, unknown>> = { ...(typeof value === "object" ? value : {}) };
  const name = [fields.id, fields.name, fields.seq, fields.run_id, fields.path].find(
    (one) => typeof one === "string" || typeof one === "number",
  );
  if (name === undefined)
    throw new Problem("usage", "The output of this command has no names.", { remedy: "Use -o json." });
  return `${name}\n`;
}
