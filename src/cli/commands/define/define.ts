/** The command tree: names, arguments, options and help. The code of a command is loaded when it runs. */
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import type { CauseKind, RunState } from "../../../domain/index.ts";
import { type CommandContext, type OutputFormat, outputFormats } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { defineBackups } from "./backups.ts";
import type { Shell } from "./completion.ts";
import { defineDeployments } from "./deployments.ts";
import { causeKinds, RUN_HELP } from "./help-texts.ts";
import { defineService } from "./service.ts";

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

/** Receives the options and the function of the chosen command. */
export type Choose = (shared: SharedOptions, run: (context: CommandContext) => Promise<number>) => void;

export function defineCommands(program: Command, choose: Choose): void {
  defineRun(program, choose);
  defineFile(program, choose);
  defineQueries(program, choose);
  defineContents(program, choose);
  program
    .command("serve")
    .description("run the server with the API")
    .addOption(configOption())
    .action((options: SharedOptions) =>
      choose(options, async (context) => {
        const { serveCommand } = await import("../server/serve.ts");
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
    .description("print a completion script for a shell")
    .addArgument(
      new Argument("<shell>", "name of the shell").choices(["bash", "zsh", "fish"] satisfies Shell[]),
    )
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
  addCaFileOption(program);
}

/** Adds `--ca-file` to each command that uses a server. */
function addCaFileOption(command: Command): void {
  const speaks = command.options.some(({ long }) => long === "--server") || command.name() === "login";
  if (speaks) command.option("--ca-file <file>", "PEM file with CA certificates to trust for the server");
  for (const one of command.commands) addCaFileOption(one);
}

function outputOption(): Option {
  return new Option("-o, --output <format>", "output format").choices(outputFormats).default("table");
}

function serverOption(): Option {
  return new Option("--server <url>", "address of a server, or local for this data directory");
}

function tokenOption(): Option {
  return new Option("--token <token>", "API token for authentication");
}

function configOption(): Option {
  return new Option("--config <file>", "configuration file of Shipinator");
}

function defineRun(program: Command, choose: Choose): void {
  program
    .command("run")
    .description("build, test and deploy a directory or a repository")
    .argument("[target]", "directory, or address of a repository", ".")
    .option("--ref <ref>", "branch, tag or commit instead of the current files")
    .option("--only <stages>", "stages to run, separated by commas", collect)
    .addOption(outputOption())
    .addOption(configOption())
    .action((target: string, options: SharedOptions & { ref?: string; only?: readonly string[] }) =>
      choose(options, async (context) => {
        const { parseStages, runCommand } = await import("../runs/run.ts");
        const only = options.only === undefined ? null : parseStages(options.only);
        return await runCommand(context, { target, ref: options.ref ?? null, only });
      }),
    );
  program
    .command("resume")
    .description("resume unfinished runs")
    .argument("[run]", `${RUN_HELP} (default: all)`)
    .addOption(outputOption())
    .addOption(configOption())
    .action((run: string | undefined, options: SharedOptions) =>
      choose(options, async (context) => {
        const { resumeCommand } = await import("../runs/run.ts");
        return await resumeCommand(context, run ?? null);
      }),
    );
}

function defineFile(program: Command, choose: Choose): void {
  program
    .command("validate")
    .description("check a pipeline file and show all problems")
    .argument("[file]", "file, directory with a .shipinator.yaml, or - for standard input", ".")
    .addOption(outputOption())
    .action((file: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { validateCommand } = await import("../file/validate.ts");
        return await validateCommand(context, file);
      }),
    );
  program
    .command("init")
    .description("write an initial .shipinator.yaml for a repository")
    .argument("[directory]", "root of the repository", ".")
    .option("--force", "replace an existing .shipinator.yaml")
    .addOption(outputOption())
    .action((directory: string, options: SharedOptions & { force?: true }) =>
      choose(options, async (context) => {
        const { initCommand } = await import("../file/init.ts");
        return await initCommand(context, { directory, existing: options.force ? "replace" : "never" });
      }),
    );
}

function defineQueries(program: Command, choose: Choose): void {
  program
    .command("list")
    .alias("ls")
    .description("list the newest runs")
    .option("-n, --limit <number>", "maximum number of runs", parseLimit, 20)
    .addOption(
      new Option("--status <status>", "only runs with this status")
        .choices(runStatuses)
        .argParser(parseStatus),
    )
    .addOption(
      new Option("--cause <kind>", "only runs of a pipeline or project with this cause").choices(causeKinds),
    )
    .option("--project <name>", "only runs of this project")
    .option("--pipeline <pipeline>", "only runs of this pipeline: [PROJECT/]PIPELINE")
    .option("--branch <branch>", "only runs of this branch or ref of the pipeline, such as refs/tags/v1")
    .option("--since <time>", "only runs since a time: 2030-01-31T12:00:00Z, or 7d, 12h, 30m ago")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((options: ListOptions) =>
      choose(options, async (context) => {
        const { listCommand } = await import("../runs/list.ts");
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
    .description("show the stages, steps, failures and artifacts of a run")
    .argument("[run]", RUN_HELP, "latest")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((run: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { statusCommand } = await import("../runs/status.ts");
        return await statusCommand(context, run);
      }),
    );
}

function defineContents(program: Command, choose: Choose): void {
  program
    .command("logs")
    .description("print the logs of a run")
    .argument("[run]", RUN_HELP, "latest")
    .option("--step <name>", "only the log of this step: NAME or STAGE/NAME")
    .option("-f, --follow", "continue until the run ends")
    .option("-t, --timestamps", "add the time to each line, to about a second")
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((run: string, options: LogsOptions) =>
      choose(options, async (context) => {
        const { logsCommand } = await import("../runs/logs.ts");
        const follow = options.follow ? "to_the_end" : "so_far";
        const timestamps = options.timestamps ? "shown" : "none";
        return await logsCommand(context, { run, step: options.step ?? null, follow, timestamps });
      }),
    );
  program
    .command("artifacts")
    .description("list the artifacts of a run")
    .argument("[run]", RUN_HELP, "latest")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((run: string, options: SharedOptions) =>
      choose(options, async (context) => {
        const { artifactsCommand } = await import("../runs/artifacts.ts");
        return await artifactsCommand(context, run);
      }),
    );
  program
    .command("download")
    .description("save an artifact and verify its digest")
    .argument("<artifact>", "id or a prefix of one, or RUN/NAME")
    .option("--to <path>", "file, directory, or - for standard output (default: this directory)")
    .option("--force", "replace an existing file")
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(serverOption())
    .addOption(tokenOption())
    .action((artifact: string, options: SharedOptions & { to?: string; force?: true }) =>
      choose(options, async (context) => {
        const { downloadCommand } = await import("../runs/download.ts");
        const existing = options.force ? "replace" : "never";
        return await downloadCommand(context, { artifact, to: options.to ?? null, existing });
      }),
    );
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Parses a run status. `succeeded`, the status of a stage, also means `success`. */
function parseStatus(value: string): RunState {
  const wanted = value === "succeeded" ? "success" : value;
  const found = runStatuses.find((status) => status === wanted);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Allowed choices are ${runStatuses.join(", ")}.`);
}

function parseLimit(value: string): number {
  const limit = Number(value);
  if (/^\d{1,6}$/.test(value) && limit >= 1) return limit;
  throw new InvalidArgumentError("It must be a whole number from 1 to 999999.");
}
