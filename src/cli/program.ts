/** The command line program: parses the arguments and runs one command. */
import { errorMessage, Problem } from "../kernel/index.ts";
import { createContext, noOptions } from "./context.ts";
import type { CliDeps } from "./deps.ts";
import { EXIT, reportCrash, reportError } from "./errors.ts";

export interface Program {
  /** Runs the command in `argv`; never rejects. @returns the exit code */
  run(): Promise<number>;
  /** Reports an uncaught error. @returns the exit code */
  crash(error: unknown): number;
}

export function createProgram(deps: CliDeps): Program {
  // Scripts often request the version, so it loads nothing else.
  const isVersionRequest =
    deps.argv.length === 1 && ["--version", "-V", "version"].includes(deps.argv[0] ?? "");
  const report = (error: unknown) => reportError(createContext(deps, noOptions), error);
  return {
    crash: (error) => reportCrash(createContext(deps, noOptions), error),
    async run() {
      const code = isVersionRequest ? printVersion(deps) : await runCommand(deps);
      const failure = await deps.stdout.flushed();
      if (failure === null) return code;
      const failureCode = report(outputProblem(failure));
      return code === EXIT.done ? failureCode : code;
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
    if (parsed.kind === "handled") return parsed.code;
    options = parsed.options;
    return await parsed.run(createContext(deps, options));
  } catch (error) {
    return reportError(createContext(deps, options), error);
  }
}

function outputProblem(error: Error): Problem {
  return new Problem("storage_failed", `Standard output cannot be written: ${errorMessage(error)}.`, {
    remedy:
      "The command has finished, and only its output is incomplete. See: shipinator list, shipinator status",
    cause: error,
  });
}
