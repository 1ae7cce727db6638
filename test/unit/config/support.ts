import type { ParsedPipeline } from "../../../src/config/index.ts";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";

export type Accepted = Extract<ParsedPipeline, { ok: true }>;

/** The parsed file; fails with the problems where it has any. */
export function accept(text: string | Uint8Array, knownTargets: readonly string[] = []): Accepted {
  const parsed = parsePipelineFile(text, "f", { knownTargets });
  if (!parsed.ok) throw new Error(lines(parsed).join("\n"));
  return parsed;
}

/** `line:column: message` of every problem. */
export function refuse(text: string | Uint8Array): readonly string[] {
  const parsed = parsePipelineFile(text, "f");
  if (parsed.ok) throw new Error("expected problems, but the file was accepted");
  return lines(parsed);
}

/** The one problem of a file that has exactly one. */
export function refuseOnce(text: string | Uint8Array): string {
  const found = refuse(text);
  if (found.length !== 1) throw new Error(`expected one problem:\n${found.join("\n")}`);
  return found[0] ?? "";
}

function lines(parsed: Extract<ParsedPipeline, { ok: false }>): readonly string[] {
  return parsed.problems.map(({ line, column, message, suggestion }) => {
    const meant = suggestion === null ? "" : ` [${suggestion}]`;
    return `${line}:${column}: ${message}${meant}`;
  });
}

/** A build of one step with the given further lines, indented to be its fields (line 5 on). */
export const step = (fields: string): string =>
  `build:\n  steps:\n    - name: a\n      run: b\n${fields.replace(/^(?=.)/gm, "      ")}\n`;

/** A build with one output (line 6), written in flow style. */
export const output = (fields: string): string => step(`outputs:\n  - { ${fields} }`);
