/** The tree of commands: names, arguments, options, help. Each command's code is loaded when it is asked for. */
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import type { CauseKind, RunState } from "../../domain/index.ts";
import { type CommandContext, type OutputFormat, outputFormats } from "../context.ts";
import { EXIT } from "../errors.ts";
import type { Shell } from "./completion.ts";
import { defineBackups } from "./define-backups.ts";
import { defineDeployments } from "./define-deployments.ts";
import { defineService } from "./define-service.ts";
import { causeKinds, RUN_HELP } from "./help-words.ts";

/** Options that every command takes. */
export interface SharedOptions {
  readonly output?: OutputFormat;
  readonly config?: string;
  readonly server?: string;
  readonly token?: string;
  readonly caFile?: string;
}

interface LogsOptions extends SharedOptions {
  readonly step?: string;
  readonly follow?: true;
  readonly timestamps?: true;
}

const runStatuses = [
  "pending",
  "running",
  "success",
  "failed",
  "canceled",
] as const satisfies readonly RunState[];

interface ListOptions extends SharedOptions {
  readonly limit: number;
  readonly status?: RunState;
  readonly cause?: CauseKind;
  readonly project?: string;
  readonly pipeline?: string;
  readonly branch?: string;
  readonly since?: string;
}

/** Told which command was asked for, and how to run it. */
export type Choose = (shared: SharedOptions, run: (context: CommandContext) => Promise<number>) => void;

export function defineCommands(program: Command, choose: Choose): void {
  defineRun(program, choose);
  defineFile(program, choose);
  defineQueries(program, choose);
  defineContents(program, choose);
  program
    .command("serve")
    .description("run the server: the API for a team and other programs")
    .addOption(configOption())
    .action((options: SharedOptions) =>
      choose(options, async (context) => {
        const { serveCommand } = await import("./serve.ts");
        return await serveCommand(context);
      }),
    );
  const shared = {
    output: outputOption,
    config: configOption,
    server: serverOption,
    token: tokenOption,
    parseLimit,
  };
  defineDeployments(program, choose, shared);
  defineService(program, choose, shared);
  defineBackups(program, choose, shared);
  program
    .command("completion")
    .description("print what a shell needs to complete commands and options")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"] satisfies Shell[]))
    .action((shell: Shell) =>
      choose({}, async ({ out }) => {
        const { completionScript } = await import("./completion.ts");
        out.write(completionScript(shell, program));
        return EXIT.done;
      }),
    );
  program
    .command("version")
    .description("print the version")
    .action(() =>
      choose({}, async ({ deps, out }) => {
        out.write(`${deps.version}\n`);
        return EXIT.done;
      }),
    );
  offerCaFile(program);
}

/** Adds `--ca-file` to each command that speaks to a server. */
function offerCaFile(command: Command): void {
  const speaks = command.options.some(({ long }) => long === "--server") || command.name() === "login";
  if (speaks)
    command.option("--ca-file <file>", "PEM certificates of authorities to trust for the server's address");
  for (const one of command.commands) offerCaFile(one);
}

function outputOption(): Option {
  return new Option("-o, --output <format>", "form of the answer").choices(outputFormats).default("table");
}

function serverOption(): Option {
  return new Option("--server <url>", "a server's address, or local for this data directory");
}

function tokenOption(): Option {
  return new Option("--token <token>", "the token to show it");
}

function configOption(): Option {
  return new Option("--config <file>", "Shipinator's own configuration file");
}

function defineRun(program: Command, choose: Choose): void {
  program
    .command("run")
    .description("build, test and deploy a directory or a repository")
    .argument("[target]", "a directory, or a repository's address", ".")
    .option("--ref <ref>", "a branch, tag or commit, instead of the files as they are")
    .option("--only <stages>", "stages to run, separated by commas", collect)
    .addOption(outputOption())
    .addOption(configOption())
    .action((target: string, options: SharedOptions & { ref?: string; only?: readonly string[] }) =>
      choose(options, async (context) => {
        const { parseStages, runCommand } = await import("./run.ts");
        const only = options.only === undefined ? null : parseStages(options.only);
        return await runCommand(context, { target, ref: options.ref ?? null, only });
      }),
    );
  program
    .command("resume")
    .description("carry runs on that were left unfinished")
    .argument("[run]", `${RUN_HELP}; all of them by default`)
    .addOption(outputOption())
    .addOption(configOption())
    .action((run: string | undefined, options: SharedOptions) =>
      choose(options, async (context) => {
        const { resumeCommand } = await import("./run.ts");
        return await resumeCommand(context, run ?? null);
      }),
    );
}

function defineFile(program: Command, choose: Choose): void {
  program
    .command("validate")
    .description("check a pipeline file and show all its problems")
    .argument("[file]", "a file, a directory that has a .shipinator.yaml, or - for standard input", ".")
    .addOption(outputOption())
    .action((file: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { validateCommand } = await import("./validate.ts");
        return await validateCommand(context, file);
      }),
    );
  program
    .command("init")
    .description("look at a repository and write a starting .shipinator.yaml")
    .argument("[directory]", "the repository's root", ".")
    .option("--force", "replace a .shipinator.yaml that is there")
    .addOption(outputOption())
    .action((directory: string, options: SharedOptions & { force?: true }) =>
      choose(options, async (context) => {
        const { initCommand } = await import("./init.ts");
        return await initCommand(context, { directory, existing: options.force ? "replace" : "never" });
      }),
    );
}

function defineQueries(program: Command, choose: Choose): void {
  program
    .command("list")
    .alias("ls")
    .description("show the newest runs")
    .option("-n, --limit <number>", "at most so many", parseLimit, 20)
    .addOption(
      new Option("--status <status>", "only runs in this state").choices(runStatuses).argParser(parseStatus),
    )
    .addOption(
      new Option("--cause <kind>", "only runs of a pipeline or project with this cause").choices(causeKinds),
    )
    .option("--project <name>", "only runs of this project")
    .option("--pipeline <pipeline>", "only runs of this pipeline: [PROJECT/]PIPELINE")
    .option("--branch <branch>", "only runs of this branch of the pipeline, or of a ref: refs/tags/v1")
    .option("--since <time>", "only runs since then: 2030-01-31T12:00:00Z, or 7d, 12h, 30m ago")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((options: ListOptions) =>
      choose(options, async (context) => {
        const { listCommand } = await import("./list.ts");
        const {
          limit,
          status = null,
          cause = null,
          project = null,
          pipeline = null,
          branch = null,
          since = null,
        } = options;
        return await listCommand(context, { limit, status, cause, project, pipeline, branch, since });
      }),
    );
  program
    .command("status")
    .description("show a run: its stages, steps, failures and artifacts")
    .argument("[run]", RUN_HELP, "latest")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((run: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { statusCommand } = await import("./status.ts");
        return await statusCommand(context, run);
      }),
    );
}

function defineContents(program: Command, choose: Choose): void {
  program
    .command("logs")
    .description("print what a run's steps have written")
    .argument("[run]", RUN_HELP, "latest")
    .option("--step <name>", "one step's bytes only; NAME or STAGE/NAME")
    .option("-f, --follow", "go on until it is over")
    .option("-t, --timestamps", "each line after its time, to about a second")
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((run: string, options: LogsOptions) =>
      choose(options, async (context) => {
        const { logsCommand } = await import("./logs.ts");
        const follow = options.follow ? "to_the_end" : "so_far";
        const timestamps = options.timestamps ? "shown" : "none";
        return await logsCommand(context, { run, step: options.step ?? null, follow, timestamps });
      }),
    );
  program
    .command("artifacts")
    .description("list what a run has made")
    .argument("[run]", RUN_HELP, "latest")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((run: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { artifactsCommand } = await import("./artifacts.ts");
        return await artifactsCommand(context, run);
      }),
    );
  program
    .command("download")
    .description("save an artifact, verified by its digest")
    .argument("<artifact>", "an id or the beginning of one, or RUN/NAME")
    .option("--to <path>", "a file, a directory, or - for standard output (default: this directory)")
    .option("--force", "replace a file that is there")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((artifact: string, options: SharedOptions & { to?: string; force?: true }) =>
      choose(options, async (context) => {
        const { downloadCommand } = await import("./download.ts");
        const existing = options.force ? "replace" : "never";
        return await downloadCommand(context, { artifact, to: options.to ?? null, existing });
      }),
    );
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** A stage that went well is `succeeded`, a run `success`: either word is understood. */
function parseStatus(value: string): RunState {
  const asked = value === "succeeded" ? "success" : value;
  const found = runStatuses.find((status) => status === asked);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Allowed choices are ${runStatuses.join(", ")}.`);
}

function parseLimit(value: string): number {
  const limit = Number(value);
  if (/^\d{1,6}$/.test(value) && limit >= 1) return limit;
  throw new InvalidArgumentError("It is a whole number from 1 to 999999.");
}
