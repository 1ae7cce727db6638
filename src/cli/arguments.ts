/** Parses the command line to the chosen command, or reports its errors. */
import { Command, CommanderError } from "commander";
import { Problem } from "../kernel/index.ts";
import { defineCommands } from "./commands/define/define.ts";
import type { CommandContext, GlobalOptions } from "./context.ts";
import type { CliDeps } from "./deps.ts";
import { EXIT, errorDocument } from "./errors.ts";
import { createStyle } from "./terminal/style.ts";

export type ParsedArguments =
  /** Help or an error was printed. */
  { readonly kind: "handled"; readonly code: number } | ChosenCommand;

interface ChosenCommand {
  readonly kind: "command";
  readonly options: GlobalOptions;
  readonly run: (context: CommandContext) => Promise<number>;
}

const EXAMPLES = `
Examples:
  shipinator init                        write an initial .shipinator.yaml
  shipinator run                         build, test and deploy this directory
  shipinator run --only build,test       skip the deploy
  shipinator run https://git.example/team/app.git --ref v1.2
  shipinator logs latest --step unit     show the log of a step
  shipinator download 12/app --to ./app  save an artifact of run 12

RUN is a number, [PROJECT/]PIPELINE#NUMBER, an id or a prefix of one, or
"latest".
Exit codes: 0 success, 1 failed run, 2 usage or configuration, 3 environment,
130 interrupted.
`;

export async function parseArguments(deps: CliDeps): Promise<ParsedArguments> {
  const chosen: ChosenCommand[] = [];
  const program = createCommander(deps);
  defineCommands(program, ({ output, config, server, token, caFile }, run) => {
    const options = {
      format: output ?? "table",
      configFile: config ?? null,
      server: server ?? null,
      token: token ?? null,
      caFile: caFile ?? null,
    } as const;
    chosen.push({ kind: "command", options, run });
  });
  defineHelp(program);
  showHelpHint(program, "shipinator");
  if (deps.argv.length === 0) {
    program.outputHelp({ error: true });
    return { kind: "handled", code: EXIT.usage };
  }
  try {
    const argv = sharedOptionsLast(deps.argv);
    rejectUnknownSubcommand(program, argv);
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "handled", code: EXIT.done };
    // The message is on stderr. A program that requested data reads the error on stdout, like every other error.
    if (requestsData(deps.argv)) {
      deps.stdout.write(errorDocument(new Problem("usage", error.message.replace(/^error: /, ""))));
    }
    return { kind: "handled", code: EXIT.usage };
  }
  return chosen[0] ?? { kind: "handled", code: EXIT.usage };
}

const sharedOption =
  /^(?:(?:-o|--output|--config|--server|--token|--ca-file)|(?:-o.+|--(?:output|config|server|token|ca-file)=.*))$/s;

/** Moves shared options behind the command, because commander defines them on each command. */
function sharedOptionsLast(argv: readonly string[]): readonly string[] {
  let first = 0;
  while (sharedOption.test(argv[first] ?? "")) first += /=|^-o./s.test(argv[first] ?? "") ? 1 : 2;
  const rest = argv.slice(first);
  const end = rest.includes("--") ? rest.indexOf("--") : rest.length;
  return rest.length === 0 ? argv : [...rest.slice(0, end), ...argv.slice(0, first), ...rest.slice(end)];
}

const isCalled = (word: string) => (command: Command) =>
  command.name() === word || command.aliases().includes(word);

/** Defines `help pipeline add` as an alternative to `pipeline add --help`. */
function defineHelp(program: Command): void {
  program
    .command("help")
    .description("show the help of a command")
    .argument("[command...]", "name of the command")
    .action((words: readonly string[]) => {
      let command = program;
      for (const word of words) {
        command = command.commands.find(isCalled(word)) ?? command.error(`error: unknown command '${word}'`);
      }
      command.help();
    });
}

/** Rejects `secret sett`, which commander takes as an argument of the group's default command. */
function rejectUnknownSubcommand(program: Command, [first = "", second = "-"]: readonly string[]): void {
  const group = program.commands.find(isCalled(first));
  if (group === undefined || group.commands.length === 0) return;
  if (second.startsWith("-") || group.commands.some(isCalled(second))) return;
  group.error(`error: unknown command '${second}'`);
}

/** Adds a reference to the help of the command to each of its errors. */
function showHelpHint(command: Command, path: string): void {
  command.showHelpAfterError(`See: ${path} --help`);
  for (const one of command.commands) showHelpHint(one, `${path} ${one.name()}`);
}

/** Tests whether arguments request data. It compares text, because the arguments could not be parsed. */
function requestsData(argv: readonly string[]): boolean {
  return argv.some(
    (word, at) =>
      /^(?:--output=|-o)(?:json|yaml)$/.test(word) ||
      (["-o", "--output"].includes(word) && /^(?:json|yaml)$/.test(argv[at + 1] ?? "")),
  );
}

function createCommander(deps: CliDeps): Command {
  const { stdout, stderr, environment } = deps;
  const out = createStyle(stdout, environment);
  const err = createStyle(stderr, environment);
  return new Command("shipinator")
    .description("Builds, tests and deploys a Git repository according to its .shipinator.yaml.")
    .version(deps.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .configureHelp({ styleTitle: out.bold })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns,
      getErrHelpWidth: () => stderr.columns,
      getOutHasColors: () => out.color,
      getErrHasColors: () => err.color,
    })
    .exitOverride()
    .addHelpText("after", EXAMPLES);
}
