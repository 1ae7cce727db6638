/** The way to the language's rules, which are loaded with the first file that is to be checked. */
import type { ParsedPipeline, ParseOptions } from "./file.ts";

/** The name that many other systems accept for such a file, and that is not read here. */
export const misspelledName = ".shipinator.yml";

/**
 * See `parsePipelineFile`. The rules with their library take 80 ms to load, a quarter of the start of a command that
 * opens the database, and most commands check no file.
 */
export async function parsePipeline(
  input: string | Uint8Array,
  fileName: string,
  options?: ParseOptions,
): Promise<ParsedPipeline> {
  const { parsePipelineFile } = await import("./file.ts");
  return parsePipelineFile(input, fileName, options);
}
