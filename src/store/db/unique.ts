/** Violations of constraints on names, as problems. */
import { errorCode, type PipelineId, Problem } from "../../kernel/index.ts";
import type { Queryable } from "./database.ts";

/**
 * @param taken what is there already: `a project "web"`
 * @throws Problem conflict where the name is taken
 */
export async function uniquely<T>(taken: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (errorCode(error) !== "23505") throw error;
    throw new Problem("conflict", `There is ${taken} already.`, {
      remedy: "Take another name.",
      cause: error,
    });
  }
}

/** @throws Problem conflict where something still refers to the row */
export async function unused<T>(inUse: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (errorCode(error) !== "23503") throw error;
    throw new Problem("conflict", `${inUse}, so it cannot be removed.`, {
      remedy: "Remove first what belongs to it; what has run is history and stays.",
      cause: error,
    });
  }
}

/** For a creation by an id that something with other data has. It does not say whose. */
export function taken(what: string, id: string): Problem {
  return new Problem("conflict", `The id ${id} belongs to a ${what} with other data.`, {
    place: "id",
    remedy: "Leave the id out, or use a fresh one.",
  });
}

/** For a run whose pipeline takes none: it was removed, or was never there. */
export async function noPipeline(queryable: Queryable, id: PipelineId): Promise<Problem> {
  const [row] = await queryable.query<{ readonly name: string }>(
    "select p.name from pipelines p where p.id = $1::uuid and p.archived_at is not null",
    [id],
  );
  if (row === undefined) return new Problem("not_found", `There is no pipeline ${id}.`);
  return removedPipeline(row.name);
}

/** @param name with the time of its removal, as it has been called since */
export function removedPipeline(name: string): Problem {
  return new Problem("gone", `The pipeline ${name} takes no runs any more.`, {
    remedy: "Register its repository again: shipinator pipeline add REPOSITORY",
  });
}
