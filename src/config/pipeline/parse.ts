/** Loads the rules of the pipeline file with the first file that is checked. */
import type { ParsedPipeline, ParseOptions } from "./file.ts";

/** A file name that other systems accept, and Shipinator does not read. */
export const misspelledFileName = ".shipinator.yml";

/**
 * Parses a file as `parsePipelineFile` does. The rules and their library take 80 ms to load, a quarter of the startup of a
 * command that opens the database, and most commands check no file.
 */
export async function parsePipeline(
  input: string | Uint8Array,
  fileName: string,
  options?: ParseOptions,
): Promise<ParsedPipeline> {
  const { parsePipelineFile } = await import("./file.ts");
  return parsePipelineFile(input, fileName, options);
}
