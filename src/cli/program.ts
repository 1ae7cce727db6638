/** The command line: reads the arguments, runs one command, gives its exit code. */
import { createContext, noOptions } from "./context.ts";
import type { CliDeps } from "./deps.ts";
import { EXIT, reportError } from "./errors.ts";

export interface Program {
  /** Runs the command in `argv`; never rejects. @returns the exit code */
  run(): Promise<number>;
  /** Says what nobody caught. @returns the exit code */
  crash(error: unknown): number;
}

export function createProgram(deps: CliDeps): Program {
  // Asked by scripts before anything else, so it costs nothing else.
  const asksVersion = deps.argv.length === 1 && ["--version", "-V", "version"].includes(deps.argv[0] ?? "");
  return {
    crash: (error) => reportError(createContext(deps, noOptions), error),
    async run() {
      if (asksVersion) {
        deps.stdout.write(`${deps.version}\n`);
        return EXIT.done;
      }
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
    },
  };
}
