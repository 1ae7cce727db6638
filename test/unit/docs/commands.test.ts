import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { defineCommands } from "../../../src/cli/commands/define.ts";
import { EXIT } from "../../../src/cli/errors.ts";
import { problems } from "../../../src/kernel/index.ts";
import { read } from "./support.ts";

const page = read("docs/cli.md");

interface Asked {
  readonly path: string;
  /** The forms of each option, and the aliases: one form is enough to know it by. */
  readonly words: readonly (readonly string[])[];
}

/** Each command that can be asked for, with the words that it takes. */
function commandsBelow(command: Command, path = "shipinator"): readonly Asked[] {
  return command.commands.flatMap((one) => {
    const below = `${path} ${one.name()}`;
    const options = one.options.map(({ short, long }) => [short, long].filter((form) => form !== undefined));
    const words = [...options, ...one.aliases().map((alias) => [alias])];
    return [{ path: below, words }, ...commandsBelow(one, below)];
  });
}

const program = new Command("shipinator");
defineCommands(program, () => undefined);
const commands = commandsBelow(program);

/** The part of the page about a command: from the heading that names it, or its parent, to the next. */
function sectionOf(path: string): string | undefined {
  const [, top = ""] = path.split(" ");
  const sections = page.split(/^## /m);
  return sections.find((section) => (section.split("\n")[0] ?? "").includes(`\`shipinator ${top}`));
}

const names = (section: string, form: string) => new RegExp(`[\`\\s]${form}(?![\\w-])`).test(section);

describe("docs/cli.md", () => {
  it("has a section for every command", () => {
    expect(commands.map(({ path }) => path)).toContain("shipinator run");
    expect(commands.filter(({ path }) => sectionOf(path) === undefined)).toEqual([]);
    expect(commands.filter(({ path }) => !page.includes(path.replace("shipinator ", "")))).toEqual([]);
  });

  it.each(commands)("$path: names what it takes", ({ path, words }) => {
    const section = sectionOf(path) ?? "";
    expect(words.filter((forms) => !forms.some((form) => names(section, form)))).toEqual([]);
  });

  it("has every exit code", () => {
    const table = page.slice(page.indexOf("## Exit codes"));
    for (const code of Object.values(EXIT)) expect(table).toContain(`| ${code} |`);
  });
});

describe("docs/operations.md", () => {
  it("has every code of an error, with its exit code", () => {
    const table = read("docs/operations.md").split("## Errors by code")[1] ?? "";
    const rows = table.split("\n").filter((line) => line.startsWith("| `"));
    const wrong = Object.entries(problems).filter(
      ([code, [, exit]]) => !rows.some((row) => row.includes(`\`${code}\``) && row.includes(`| ${exit} |`)),
    );
    expect(wrong).toEqual([]);
  });
});
