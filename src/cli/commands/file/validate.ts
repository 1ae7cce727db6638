/** `shipinator validate [FILE|DIR|-]`: shows all problems of a pipeline file. Exits 0 or 2. */
import { join } from "node:path";
import {
  misspelledFileName,
  type PipelineProblem,
  parsePipeline,
  renderPipelineProblems,
} from "../../../config/index.ts";
import type { PipelineConfig } from "../../../domain/index.ts";
import { Problem } from "../../../kernel/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { count, pathWord } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { createStyle } from "../../terminal/style.ts";
import { misspelledFile, nameOf, PIPELINE_FILE } from "./pipeline-file.ts";

/** One byte over the limit, so that a larger file is detected. */
const READ_LIMIT = 256 * 1024 + 1;

export async function validateCommand(context: CommandContext, target: string): Promise<number> {
  const { deps, out, style } = context;
  const { bytes, name } = await load(context, target);
  const parsed = await parsePipeline(bytes, name);
  if (asData(context)) await writeData(context, parsed.ok ? [] : parsed.problems.map(toJson));
  if (parsed.ok) {
    for (const text of [...parsed.notes, ...imageNotes(parsed.config)]) note(context, sanitizeName(text));
    if (!asData(context)) out.write(`${style.green(style.marks.ok)} ${sanitizeName(name)} is valid\n`);
    return EXIT.done;
  }
  const { problems, more } = parsed;
  const text = new TextDecoder().decode(bytes);
  const { bold, dim, red, cyan } = createStyle(deps.stderr, deps.environment);
  const paints = { place: bold, message: (plain: string) => plain, mark: red, remedy: cyan };
  const rendered = renderPipelineProblems(problems, text, {
    more,
    paint: (kind, plain) => paints[kind](plain),
  });
  deps.stderr.write(
    `${rendered}\n\n${dim(`${count(problems.length + more, "problem")} in ${sanitizeName(name)}`)}\n`,
  );
  return EXIT.usage;
}

/** Notes about images, because the executor of a later run is unknown here. */
function imageNotes({ build, test, deploy }: PipelineConfig): readonly string[] {
  const steps = [build, test].flatMap((stage) => stage?.steps ?? []);
  const images = [...steps, deploy].flatMap((step) => (step?.image == null ? [] : [step.image]));
  return [...new Set(images)].map(
    (image) =>
      `The local executor ignores the image ${JSON.stringify(image)} and runs the step with the programs of its machine.`,
  );
}

async function load({ deps }: CommandContext, target: string): Promise<{ bytes: Uint8Array; name: string }> {
  if (target === "-") return { bytes: await deps.readStdin(READ_LIMIT), name: "<stdin>" };
  const kind = await deps.files.kind(target);
  const name = kind === "directory" ? join(target, PIPELINE_FILE) : target;
  if (kind === "directory" && (await deps.files.kind(name)) === "absent") {
    const misspelled = await deps.files.kind(join(target, misspelledFileName));
    throw misspelled === "absent" ? noPipelineFile(target) : misspelledFile(target);
  }
  return { bytes: await deps.files.read(name, READ_LIMIT), name };
}

function noPipelineFile(directory: string): Problem {
  const init = directory === "." ? "shipinator init" : `shipinator init ${pathWord(directory)}`;
  return new Problem("not_found", `${nameOf(directory)} has no ${PIPELINE_FILE}.`, {
    remedy: `Create one with: ${init}`,
  });
}

function toJson({ endColumn, ...problem }: PipelineProblem): Readonly<Record<string, unknown>> {
  return { ...problem, end_column: endColumn };
}
