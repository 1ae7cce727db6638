/** Reports errors: to people on stderr, and to programs on stdout with `-o json` and `-o yaml`. */
import { errorMessage, Problem } from "../kernel/index.ts";
import type { CommandContext } from "./context.ts";
import { sanitizeText } from "./terminal/sanitize.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, environment: 3, interrupted: 130 } as const;

const debugLevels = ["debug", "trace"];

/** Reports an uncaught error with its stack. @returns the exit code */
export function reportCrash(context: CommandContext, error: unknown): number {
  return reportError(context, error, true);
}

/** Reports an error. @returns the exit code */
export function reportError(context: CommandContext, error: unknown, withStack = false): number {
  const problem = Problem.from(error);
  const { deps, errStyle, format } = context;
  const known = error instanceof Problem && error.code !== "internal";
  const debug = withStack || debugLevels.includes(deps.environment.SHIPINATOR_LOG_LEVEL ?? "");
  const lines = known ? problemLines(problem) : unknownLines(problem, debug);
  const [first = "", ...rest] = lines;
  const head = isRendered(problem) ? first : `${errStyle.red("error:")} ${first}`;
  deps.stderr.write(`${[head, ...rest].join("\n")}\n`);
  if (debug) deps.stderr.write(`${stackOf(error)}\n`);
  if (format === "json" || format === "yaml") context.out.write(errorDocument(problem));
  return problem.exitCode;
}

/** Problems of a pipeline file are already rendered: `path:line:column: message` with code frames. */
function isRendered(problem: Problem): boolean {
  return problem.code === "config_invalid" && Array.isArray(problem.details) && problem.details.length > 0;
}

function problemLines(problem: Problem): readonly string[] {
  const lines = sanitizeText(problem.message.trimEnd()).split("\n");
  if (problem.place !== undefined && !problem.message.includes(problem.place))
    lines.push(`  at ${sanitizeText(problem.place)}`);
  if (problem.remedy !== undefined) lines.push(`  ${sanitizeText(problem.remedy)}`);
  return lines;
}

function unknownLines(problem: Problem, debug: boolean): readonly string[] {
  const sentence = sanitizeText(problem.message.split("\n")[0] ?? "");
  const remedy = problem.remedy === undefined ? [] : [`  ${sanitizeText(problem.remedy)}`];
  const more = debug ? [] : ["  Repeat the command with SHIPINATOR_LOG_LEVEL=debug to see the details."];
  return [`An internal error occurred: ${sentence}`, ...remedy, ...more];
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}

/** Writes an error as JSON, which is also YAML. */
export const errorDocument = (problem: Problem): string =>
  `${JSON.stringify({ error: toJson(problem) }, null, 2)}\n`;

function toJson(problem: Problem): Readonly<Record<string, unknown>> {
  return {
    code: problem.code,
    message: problem.message,
    place: problem.place ?? null,
    remedy: problem.remedy ?? null,
    details: problem.details ?? null,
  };
}

/** Prints a warning about an error that does not end the command. */
export function warn({ deps, errStyle }: Pick<CommandContext, "deps" | "errStyle">, error: unknown): void {
  const sentence = sanitizeText(errorMessage(error).split("\n")[0] ?? "");
  deps.stderr.write(`${errStyle.yellow("warning:")} ${sentence}\n`);
}
