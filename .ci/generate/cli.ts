// Prints docs/cli.md with what is between `<!-- shipinator COMMAND -->` and `<!-- end -->` made anew from the commands'
// definitions, and what is between `<!-- shared options -->` and `<!-- end -->` from the options that many of them take.
// The rest of the page is written by hand. It fails where a command has no such place, or a place no command.
import { readFileSync } from "node:fs";
import { Command, type Option } from "commander";
import { defineCommands } from "../../src/cli/commands/define/define.ts";
import { cell } from "./markdown.ts";

const shared = ["--output", "--config", "--server", "--token", "--ca-file"];
const page = readFileSync("docs/cli.md", "utf8");

const commands = new Map<string, Command>();
const program = new Command("shipinator");
defineCommands(program, () => undefined);
collect(program, "shipinator");

const missing = new Set(commands.keys());
const text = page.replaceAll(/^<!-- (.+) -->\n(?:(?!<!-- ).*\n)*<!-- end -->$/gm, (_all, name: string) => {
  missing.delete(name);
  return `<!-- ${name} -->\n${name === "shared options" ? sharedTable() : describe(name)}\n<!-- end -->`;
});
if (missing.size > 0) throw new Error(`docs/cli.md has no place for ${[...missing].join(", ")}`);
process.stdout.write(text);

/** Those that do something: `token` alone does not, its commands do. */
function collect(command: Command, path: string): void {
  for (const one of command.commands) {
    const below = `${path} ${one.name()}`;
    if (one.commands.length === 0) commands.set(below, one);
    collect(one, below);
  }
}

function describe(name: string): string {
  const command = commands.get(name);
  if (command === undefined) throw new Error(`docs/cli.md has a place for ${name}, which is no command`);
  const aliases = command.aliases().map((alias) => `\`${alias}\``);
  const also = aliases.length === 0 ? "" : ` (or ${aliases.join(", ")})`;
  const own = command.options.filter((option) => !isShared(option));
  const others = command.options.filter(isShared);
  const rows = [
    ...command.registeredArguments.map((argument) =>
      row(
        argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
        argument.description,
        argument.argChoices,
        argument.defaultValue,
      ),
    ),
    ...own.map(optionRow),
    ...(others.length === 0
      ? []
      : [
          `| ${others.map(({ long }) => `\`${long}\``).join(" · ")} | [of many commands](#options-of-many-commands) |`,
        ]),
  ];
  const table = rows.length === 0 ? [] : ["", "| argument or option | |", "|---|---|", ...rows];
  const usage =
    command.options.length === 0 ? command.usage().replace(/^\[options\] ?/, "") : command.usage();
  return [`\`${`${name} ${usage}`.trim()}\`${also}: ${command.description()}.`, ...table].join("\n");
}

function sharedTable(): string {
  const found = new Map<string, string>();
  for (const command of commands.values())
    for (const option of command.options.filter(isShared)) {
      const line = optionRow(option);
      const before = found.get(option.long ?? "");
      if (before !== undefined && before !== line) throw new Error(`${option.long} is described in two ways`);
      found.set(option.long ?? "", line);
    }
  return ["| option | |", "|---|---|", ...shared.map((long) => found.get(long))].join("\n");
}

function isShared({ long }: Option): boolean {
  return shared.includes(long ?? "");
}

function optionRow({ flags, description, argChoices, defaultValue, mandatory }: Option): string {
  return row(flags, `${description}${mandatory ? " (required)" : ""}`, argChoices, defaultValue);
}

function row(
  form: string,
  meaning: string,
  choices: readonly string[] | undefined,
  fallback: unknown,
): string {
  const of = choices === undefined ? "" : `: ${choices.map((choice) => `\`${choice}\``).join(", ")}`;
  const unless = fallback === undefined ? "" : ` (default: \`${fallback}\`)`;
  return `| \`${form}\` | ${cell(`${meaning}${of}${unless}`)} |`;
}
