/** The name of the pipeline file, and the error for a misspelled one. */
import { misspelledFileName } from "../../../config/index.ts";
import { Problem } from "../../../kernel/index.ts";
import { pathWord } from "../../terminal/format.ts";

export const PIPELINE_FILE = ".shipinator.yaml";

/** The error for a directory with a file of the wrong extension. */
export function misspelledFile(directory: string): Problem {
  const fact = `${nameOf(directory)} has ${misspelledFileName}, but the pipeline file must be called ${PIPELINE_FILE}.`;
  const place = directory === "." ? "" : ` -C ${pathWord(directory)}`;
  return new Problem("not_found", fact, {
    remedy: `Rename it: git${place} mv ${misspelledFileName} ${PIPELINE_FILE}`,
  });
}

export const nameOf = (directory: string) => (directory === "." ? "This directory" : directory);
