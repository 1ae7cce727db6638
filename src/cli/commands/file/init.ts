/** `shipinator init [DIR]`: writes an initial pipeline file for a repository. */
import { join } from "node:path";
import { misspelledFileName, proposePipelineFile, relevantFiles } from "../../../config/index.ts";
import { Problem } from "../../../kernel/index.ts";
import { asData, type CommandContext, writeData } from "../../context.ts";
import type { Files } from "../../deps.ts";
import { EXIT } from "../../errors.ts";
import { pathWord } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { misspelledFile, PIPELINE_FILE } from "./pipeline-file.ts";

export interface InitArguments {
  readonly directory: string;
  readonly existing: "never" | "replace";
}

/** Depth that includes `deploy/charts/app/Chart.yaml`. */
const DEPTH = 3;
/** Maximum number of scanned files. */
const MAX_NAMES = 5_000;
const MAX_CONTENT = 256 * 1024;
/** Directories that usually contain no source of the project. */
const ignoredDirectories = new Set([
  "node_modules",
  "vendor",
  "target",
  "dist",
  "build",
  "venv",
  "__pycache__",
]);

export async function initCommand(context: CommandContext, args: InitArguments): Promise<number> {
  const { deps, out, style } = context;
  const { files } = deps;
  const { directory } = args;
  const kind = await files.kind(directory);
  if (kind === "absent") throw new Problem("not_found", `The directory ${directory} does not exist.`);
  if (kind !== "directory")
    throw new Problem("usage", `${directory} is not a directory.`, {
      remedy: "Name the root of the repository.",
    });
  const path = join(directory, PIPELINE_FILE);
  const where = directory === "." ? "" : ` ${pathWord(directory)}`;
  // An early check. `create` checks again.
  if (args.existing === "never" && (await files.kind(path)) !== "absent")
    throw new Problem("conflict", `${path} already exists.`, {
      remedy: `Check it with: shipinator validate${where}. To replace it: shipinator init${where} --force`,
    });
  if ((await files.kind(join(directory, misspelledFileName))) !== "absent") throw misspelledFile(directory);
  const { text, reason } = proposePipelineFile(await scanFiles(files, directory));
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
      `${style.green(style.marks.ok)} Wrote ${sanitizeName(path)}.\n${sanitizeName(reason)}\n\nNext:\n`,
    );
    out.write(`  shipinator validate${where}   check the file\n  shipinator run${where}\n`);
  }
  return EXIT.done;
}

/**
 * Lists paths from the root, with the content of files that a proposal reads. The search is breadth-first, so that a
 * directory with thousands of files does not hide its siblings.
 */
async function scanFiles(files: Files, root: string): Promise<ReadonlyMap<string, string | null>> {
  const found = new Map<string, string | null>();
  let level: readonly string[] = [""];
  for (let depth = 0; depth <= DEPTH; depth += 1) {
    const below: string[] = [];
    for (const directory of level)
      for (const name of await namesIn(files, root, directory)) {
        if (found.size >= MAX_NAMES) return found;
        const path = directory === "" ? name : `${directory}/${name}`;
        // Unreadable entries are ignored.
        const kind = await files.kind(join(root, path)).catch(() => null);
        if (kind === "file")
          found.set(path, relevantFiles.includes(name) ? await contentOf(files, join(root, path)) : null);
        else if (kind === "directory" && !name.startsWith(".") && !ignoredDirectories.has(name))
          below.push(path);
      }
    level = below;
  }
  return found;
}

/** Lists names, sorted. The root must be readable. Unreadable directories below it are ignored. */
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
