/** The pipeline file's name, in the root of the workspace. */
import { misspelledFileName } from "../../config/index.ts";
import { Problem } from "../../kernel/index.ts";
import { pathWord } from "../terminal/format.ts";

export const PIPELINE_FILE = ".shipinator.yaml";

/** The directory has a file of the other ending, which nothing reads. */
export function misspelledFile(directory: string): Problem {
  const fact = `${nameOf(directory)} has ${misspelledFileName}, and the pipeline file is called ${PIPELINE_FILE}`;
  const place = directory === "." ? "" : ` -C ${pathWord(directory)}`;
  return new Problem("not_found", fact, {
    remedy: `Rename it: git${place} mv ${misspelledFileName} ${PIPELINE_FILE}`,
  });
}

export const nameOf = (directory: string) => (directory === "." ? "this directory" : directory);
