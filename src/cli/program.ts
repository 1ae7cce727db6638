/** The command line: reads the arguments, runs one command, gives its exit code. */
import { errorMessage, Problem } from "../kernel/index.ts";
import { createContext, noOptions } from "./context.ts";
import type { CliDeps } from "./deps.ts";
import { EXIT, reportCrash, reportError } from "./errors.ts";

export interface Program {
  /** Runs the command in `argv`; never rejects. @returns the exit code */
  run(): Promise<number>;
  /** Says what nobody caught. @returns the exit code */
  crash(error: unknown): number;
}

export function createProgram(deps: CliDeps): Program {
  // Asked by scripts before anything else, so it costs nothing else.
  const asksVersion = deps.argv.length === 1 && ["--version", "-V", "version"].includes(deps.argv[0] ?? "");
  const report = (error: unknown) => reportError(createContext(deps, noOptions), error);
  return {
    crash: (error) => reportCrash(createContext(deps, noOptions), error),
    async run() {
      const code = asksVersion ? printVersion(deps) : await runCommand(deps);
      const failure = await deps.stdout.flushed();
      if (failure === null) return code;
      const told = report(unwritten(failure));
      return code === EXIT.done ? told : code;
    },
  };
}

function printVersion({ stdout, version }: CliDeps): number {
  stdout.write(`${version}\n`);
  return EXIT.done;
}

async function runCommand(deps: CliDeps): Promise<number> {
  let options = noOptions;
  try {
    const { parseArguments } = await import("./arguments.ts");
    const parsed = await parseArguments(deps);
    if (parsed.kind === "answered") return parsed.code;
    options = parsed.options;
    return await parsed.run(createContext(deps, options));
  } catch (error) {
    return reportError(createContext(deps, options), error);
  }
}

function unwritten(error: Error): Problem {
  return new Problem("storage_failed", `standard output cannot be written: ${errorMessage(error)}`, {
    remedy:
      "Only what is shown is incomplete; what was done is recorded: shipinator list, shipinator status.",
    cause: error,
  });
}
