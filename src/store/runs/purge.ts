/** Retention. The database function `purge_runs` (migrations/0001_baseline.sql) is the only thing that may delete history. */
import type { ArtifactId, ExecutionId, RunId } from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";

/**
 * Purges one small batch: at most `limit` final runs that ended before `before`, the oldest first. A run with a deployment, or
 * with an artifact whose digest any deployment names, stays. Repeat until none is left. The deletion
 * records which bytes to remove, see `DiscardStore`.
 */
export async function purgeRuns(database: Queryable, before: Date, limit: number): Promise<readonly RunId[]> {
  const rows = await database.query<{ readonly id: RunId }>(
    `with purged as materialized (
       select p.kind, p.id from purge_runs($1::timestamptz, $2::integer) p
     ),
     discarded as (
       insert into discarded_bytes (kind, id)
       select p.kind, p.id from purged p where p.kind <> 'run'
     )
     select p.id from purged p where p.kind = 'run'`,
    [before, limit],
  );
  return rows.map(({ id }) => id);
}

/** Bytes whose rows were purged. */
export type Discarded =
  | { readonly kind: "artifact"; readonly id: ArtifactId }
  | { readonly kind: "log"; readonly id: ExecutionId };

export interface DiscardStore {
  /** Returns at most `limit` entries after this one, in the order of kind and id. */
  list(limit: number, after: Discarded | null): Promise<readonly Discarded[]>;
  /** Deletes the entries whose bytes are removed. */
  forget(gone: readonly Discarded[]): Promise<void>;
}

export function createDiscardStore(database: Queryable): DiscardStore {
  return {
    list: (limit, after) =>
      database.query<Discarded>(
        `select d.kind, d.id
         from discarded_bytes d
         where $2::text is null or (d.kind, d.id) > ($2::text, $3::uuid)
         order by d.kind, d.id
         limit $1::integer`,
        [limit, after?.kind ?? null, after?.id ?? null],
      ),
    async forget(gone) {
      await database.execute(
        `delete from discarded_bytes d
         using unnest($1::text[], $2::uuid[]) as g (kind, id)
         where d.kind = g.kind and d.id = g.id`,
        [gone.map(({ kind }) => kind), gone.map(({ id }) => id)],
      );
    },
  };
}
