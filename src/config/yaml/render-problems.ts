/** Renders the problems of a file as plain text: `path:line:column: message`, a suggestion, the marked line, the remedy. */
import type { Fault } from "./faults.ts";
import { Lines } from "./lines.ts";

export interface PipelineProblem {
  /** Path of the file. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units as in editors. */
  readonly column: number;
  /** Column after the last marked character, on the same line. */
  readonly endColumn: number;
  /** The fact, as one sentence. */
  readonly message: string;
  /** The probable intention. */
  readonly suggestion: string | null;
  /** The action to take, as an imperative sentence. */
  readonly remedy: string | null;
}

export interface RenderOptions {
  /** Number of further problems that are not listed. Default: 0. */
  readonly more?: number;
  /** Adds colour to a piece of text. Default: no colour. */
  readonly paint?: (style: "place" | "message" | "mark" | "remedy", text: string) => string;
}

const frameWidth = 100;

/** Converts offsets to lines and columns. A place that spans lines is marked on its first line. */
export function locate(path: string, text: string, faults: readonly Fault[]): readonly PipelineProblem[] {
  const lines = new Lines(text);
  return faults.map(({ start, end, message, suggestion, remedy }) => {
    const { line, column } = lines.at(start);
    const marked = text.slice(start, end).split("\n", 1)[0] ?? "";
    const endColumn = column + Math.max(1, marked.trimEnd().length);
    return { path, line, column, endColumn, message, suggestion, remedy };
  });
}

/** @param text the file's text, for the frames; empty when it cannot be decoded */
export function renderPipelineProblems(
  problems: readonly PipelineProblem[],
  text: string,
  options: RenderOptions = {},
): string {
  const paint = options.paint ?? ((_style, plain) => plain);
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  const blocks = problems.map((problem) => {
    const question = problem.suggestion === null ? "" : ` Did you mean "${problem.suggestion}"?`;
    const place = `${visible(problem.path)}:${problem.line}:${problem.column}:`;
    const head = `${paint("place", place)} ${paint("message", problem.message + question)}`;
    const remedy = problem.remedy === null ? [] : [`  ${paint("remedy", problem.remedy)}`];
    return [head, ...frame(problem, lines, paint), ...remedy].join("\n");
  });
  const { more = 0 } = options;
  if (more > 0) blocks.push(`and ${more} more`);
  return blocks.join("\n\n");
}

type Paint = NonNullable<RenderOptions["paint"]>;

function frame(problem: PipelineProblem, lines: readonly string[], paint: Paint): readonly string[] {
  const source = lines[problem.line - 1]?.replace(/\r$/, "");
  if (source === undefined || source.trim() === "") return [];
  const gutter = String(problem.line).length;
  // A line that is longer than the frame is cut around the place.
  const from = problem.column > frameWidth - 20 ? problem.column - 40 : 0;
  const before = from === 0 ? (lines[problem.line - 2]?.replace(/\r$/, "") ?? "") : "";
  const shown = visible(source.slice(from, from + frameWidth));
  const lead = visible(source.slice(from, problem.column - 1)).replace(/[^\t]/g, " ");
  const length = Math.max(1, Math.min(problem.endColumn - problem.column, shown.length - lead.length));
  const context =
    before.trim() === ""
      ? []
      : [`  ${String(problem.line - 1).padStart(gutter)} | ${visible(before.slice(0, frameWidth))}`];
  return [
    ...context,
    `  ${problem.line} | ${shown}`,
    `  ${" ".repeat(gutter)} | ${lead}${paint("mark", "^".repeat(length))}`,
  ];
}

/** Replaces each control character with a visible one, so that a file cannot control the terminal. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    const code = character.charCodeAt(0);
    if (character === "\t") return character;
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\u2421";
  });
}
