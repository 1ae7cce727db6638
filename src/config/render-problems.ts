/** Problems of a file as plain text: `path:line:column: message`, the line with a mark below, "did you mean". */
import type { Fault } from "./faults.ts";

export interface PipelineProblem {
  /** The file. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units as editors count. */
  readonly column: number;
  /** Behind the last character that is marked, on the same line. */
  readonly endColumn: number;
  /** The fact, without a full stop. */
  readonly message: string;
  /** What was probably meant. */
  readonly suggestion: string | null;
  /** What to do, as a sentence. */
  readonly remedy: string | null;
}

export interface RenderOptions {
  /** Puts colour around a piece of text; by default there is none. */
  readonly paint?: (style: "place" | "message" | "mark" | "remedy", text: string) => string;
}

const maxShown = 100;
const frameWidth = 100;

/** Offsets to lines and columns; a place that spans lines is marked on its first. */
export function locate(path: string, text: string, faults: readonly Fault[]): readonly PipelineProblem[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  let line = 0;
  return faults.map(({ start, end, message, suggestion, remedy }) => {
    while (line + 1 < starts.length && (starts[line + 1] ?? 0) <= start) line += 1;
    const begin = starts[line] ?? 0;
    const lineEnd = lineAt(text, begin).length + begin;
    const endColumn = Math.max(start + 1, Math.min(end, lineEnd)) - begin + 1;
    return { path, line: line + 1, column: start - begin + 1, endColumn, message, suggestion, remedy };
  });
}

function lineAt(text: string, begin: number): string {
  const end = text.indexOf("\n", begin);
  return text.slice(begin, end === -1 ? undefined : end).replace(/\r$/, "");
}

/** @param text the file's text, for the frames; empty where it could not be decoded. */
export function renderPipelineProblems(
  problems: readonly PipelineProblem[],
  text: string,
  options: RenderOptions = {},
): string {
  const paint = options.paint ?? ((_style, plain) => plain);
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  const blocks = problems.slice(0, maxShown).map((problem) => {
    const meant = problem.suggestion === null ? "" : `; did you mean "${problem.suggestion}"?`;
    const place = `${visible(problem.path)}:${problem.line}:${problem.column}:`;
    const head = `${paint("place", place)} ${paint("message", problem.message + meant)}`;
    const remedy = problem.remedy === null ? [] : [`  ${paint("remedy", problem.remedy)}`];
    return [head, ...frame(problem, lines, paint), ...remedy].join("\n");
  });
  const rest = problems.length - maxShown;
  if (rest > 0) blocks.push(`and ${rest} more`);
  return blocks.join("\n\n");
}

type Paint = NonNullable<RenderOptions["paint"]>;

function frame(problem: PipelineProblem, lines: readonly string[], paint: Paint): readonly string[] {
  const source = lines[problem.line - 1]?.replace(/\r$/, "");
  if (source === undefined || source.trim() === "") return [];
  const gutter = String(problem.line).length;
  const before = problem.line > 1 ? (lines[problem.line - 2]?.replace(/\r$/, "") ?? "") : "";
  // A line longer than the frame is cut around the place.
  const from = problem.column > frameWidth - 20 ? problem.column - 40 : 0;
  const shown = visible(source.slice(from, from + frameWidth));
  const lead = visible(source.slice(from, problem.column - 1)).replace(/[^\t]/g, " ");
  const length = Math.max(1, Math.min(problem.endColumn - problem.column, shown.length - lead.length));
  const context =
    before.trim() === ""
      ? []
      : [
          `  ${String(problem.line - 1).padStart(gutter)} | ${visible(before.slice(from, from + frameWidth))}`,
        ];
  return [
    ...context,
    `  ${problem.line} | ${shown}`,
    `  ${" ".repeat(gutter)} | ${lead}${paint("mark", "^".repeat(length))}`,
  ];
}

/** Control characters as one visible character each: a file must not be able to drive the terminal. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    const code = character.charCodeAt(0);
    if (character === "\t") return character;
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\u2421";
  });
}
