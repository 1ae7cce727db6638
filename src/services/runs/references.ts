/**
 * The grammar by which people name pipelines and runs: `[PROJECT/]PIPELINE[#NUMBER]`. Names may hold `/` and `#`
 * themselves, so the last `#` separates the number, and a text with slashes has several readings.
 */
import type { PipelineReading, RunRow } from "../../store/index.ts";

/** The grammar in words, for remedies. */
export const pipelineGrammar = "Name it by its id, or as PIPELINE or PROJECT/PIPELINE.";
export const runGrammar =
  'Name it by its number, as PIPELINE#NUMBER or PROJECT/PIPELINE#NUMBER, by its id or the beginning of one, or as "latest".';

/** All readings of a pipeline's name: the whole text as the pipeline, and each slash as the end of the project. */
export function pipelineReadings(text: string): readonly PipelineReading[] {
  const slashes = [...text.matchAll(/\//g)].map(({ index }) => index);
  return [
    { project: null, pipeline: text },
    ...slashes.map((at) => ({ project: text.slice(0, at), pipeline: text.slice(at + 1) })),
  ];
}

export interface NumberedRun {
  /** Null: the number stands alone. */
  readonly pipeline: readonly PipelineReading[] | null;
  readonly number: number;
}

/** `PROJECT/PIPELINE#12`, `PIPELINE#12`, `#12` and `12`. Null: the text ends in no number. */
export function parseNumberedRun(text: string): NumberedRun | null {
  const at = text.lastIndexOf("#");
  const digits = text.slice(at + 1);
  if (!/^\d{1,9}$/.test(digits)) return null;
  return { pipeline: at <= 0 ? null : pipelineReadings(text.slice(0, at)), number: Number(digits) };
}

/** A run's name in messages, as it can be given back. */
export function runName({
  project,
  pipeline,
  number,
}: Pick<RunRow, "project" | "pipeline" | "number">): string {
  return `${project === pipeline ? pipeline : `${project}/${pipeline}`}#${number}`;
}
