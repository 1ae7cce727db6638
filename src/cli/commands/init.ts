/** `shipinator init [DIR]`: looks at a repository and writes a starting pipeline file, never over one that is there. */
import { join } from "node:path";
import { misspelledFileName, proposePipelineFile, relevantFiles } from "../../config/index.ts";
import { Problem } from "../../kernel/index.ts";
import { asData, type CommandContext, writeData } from "../context.ts";
import type { Files } from "../deps.ts";
import { EXIT } from "../errors.ts";
import { pathWord } from "../terminal/format.ts";
import { sanitizeName } from "../terminal/sanitize.ts";
import { misspelledFile, PIPELINE_FILE } from "./pipeline-file.ts";

export interface InitArguments {
  readonly directory: string;
  readonly existing: "never" | "replace";
}

/** Deep enough for `deploy/charts/app/Chart.yaml`. */
const DEPTH = 3;
/** A look, not an inventory. */
const MAX_NAMES = 5_000;
const MAX_CONTENT = 256 * 1024;
/** What others put there; nothing of it is the project's own. */
const foreign = new Set(["node_modules", "vendor", "target", "dist", "build", "venv", "__pycache__"]);

export async function initCommand(context: CommandContext, args: InitArguments): Promise<number> {
  const { deps, out, style } = context;
  const { files } = deps;
  const { directory } = args;
  const kind = await files.kind(directory);
  if (kind === "absent") throw new Problem("not_found", `there is no directory ${directory}`);
  if (kind !== "directory")
    throw new Problem("usage", `${directory} is not a directory`, { remedy: "Name the repository's root." });
  const path = join(directory, PIPELINE_FILE);
  const where = directory === "." ? "" : ` ${pathWord(directory)}`;
  // Asked first, so that nothing is looked at in vain; `create` makes sure.
  if (args.existing === "never" && (await files.kind(path)) !== "absent")
    throw new Problem("conflict", `${path} exists already and is left as it is`, {
      remedy: `Check it with: shipinator validate${where}. Or replace it with: shipinator init${where} --force`,
    });
  if ((await files.kind(join(directory, misspelledFileName))) !== "absent") throw misspelledFile(directory);
  const { text, reason } = proposePipelineFile(await look(files, directory));
  const file = await files.create({ path, overwrite: args.existing, mode: 0o644 });
  try {
    await file.write(Buffer.from(text));
    await file.commit();
  } finally {
    await file.discard();
  }
  if (asData(context)) await writeData(context, { path, reason });
  else {
    out.write(
      `${style.green(style.marks.ok)} wrote ${sanitizeName(path)}\n${sanitizeName(reason)}\n\nNext:\n`,
    );
    out.write(`  shipinator validate${where}   after you have looked it over\n  shipinator run${where}\n`);
  }
  return EXIT.done;
}

/**
 * Paths from the root, and the content of those files that a proposal reads. Breadth first: a directory of thousands of
 * files must not hide what lies beside it.
 */
async function look(files: Files, root: string): Promise<ReadonlyMap<string, string | null>> {
  const found = new Map<string, string | null>();
  let level: readonly string[] = [""];
  for (let depth = 0; depth <= DEPTH; depth += 1) {
    const below: string[] = [];
    for (const directory of level)
      for (const name of await namesIn(files, root, directory)) {
        if (found.size >= MAX_NAMES) return found;
        const path = directory === "" ? name : `${directory}/${name}`;
        // What may not be looked at is not what a proposal is made of.
        const kind = await files.kind(join(root, path)).catch(() => null);
        if (kind === "file")
          found.set(path, relevantFiles.includes(name) ? await contentOf(files, join(root, path)) : null);
        else if (kind === "directory" && !name.startsWith(".") && !foreign.has(name)) below.push(path);
      }
    level = below;
  }
  return found;
}

/** Sorted. The root must be readable; a directory in it that is not (a database's, say) is passed over. */
async function namesIn(files: Files, root: string, directory: string): Promise<readonly string[]> {
  try {
    return (await files.names(join(root, directory))).toSorted();
  } catch (error) {
    if (directory === "") throw error;
    return [];
  }
}

async function contentOf(files: Files, path: string): Promise<string> {
  return new TextDecoder().decode(await files.read(path, MAX_CONTENT));
}
