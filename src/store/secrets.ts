/** Sealed secrets of projects. What is in them is known to whoever has the key, which is not here. */
import type { ProjectId, RunId } from "../kernel/index.ts";
import { type NewAuditEntry, withAudit } from "./audit.ts";
import type { Database } from "./database.ts";
import { storableText } from "./text.ts";

export interface SecretRow {
  readonly project_id: ProjectId;
  readonly name: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface SealedSecret {
  readonly project_id: ProjectId;
  readonly name: string;
  readonly key_id: string;
  readonly sealed: Uint8Array;
}

export interface SecretStore {
  /** Makes it, or replaces what was there under its name. */
  put(secret: SealedSecret & { readonly created_by: string }, audit?: NewAuditEntry): Promise<SecretRow>;
  /** All of a project, by name. */
  list(project: ProjectId): Promise<readonly SecretRow[]>;
  /** False: there was none. */
  remove(project: ProjectId, name: string, audit?: NewAuditEntry): Promise<boolean>;
  /** Those of the run's project that are called so. */
  ofRun(run: RunId, names: readonly string[]): Promise<readonly SealedSecret[]>;
  /** So many that another key than this one sealed. */
  sealedOtherwise(keyId: string, limit: number): Promise<readonly SealedSecret[]>;
  /** Replaces what is sealed while it is still what was read. */
  reseal(before: SealedSecret, after: SealedSecret): Promise<boolean>;
}

const columns = "row.project_id, row.name, row.created_by, row.created_at, row.updated_at";
const sealedColumns = "s.project_id, s.name, s.key_id, s.sealed";

export function createSecretStore(database: Database): SecretStore {
  return {
    async put({ project_id, name, key_id, sealed, created_by }, audit) {
      const rows = await withAudit(database, audit, (queryable) =>
        queryable.query<SecretRow>(
          `insert into secrets as row (project_id, name, key_id, sealed, created_by)
           values ($1::uuid, $2::text, $3::text, $4::bytea, $5::text)
           on conflict (project_id, name) do update
           set key_id = excluded.key_id, sealed = excluded.sealed, updated_at = now()
           returning ${columns}`,
          [project_id, name, key_id, sealed, storableText(created_by)],
        ),
      );
      const [row] = rows;
      if (row === undefined) throw new TypeError("insert … returning gave no row");
      return row;
    },
    list: (project) =>
      database.query<SecretRow>(
        `select ${columns} from secrets row where row.project_id = $1::uuid order by row.name`,
        [project],
      ),
    remove: async (project, name, audit) =>
      (await withAudit(database, audit, (queryable) =>
        queryable.execute("delete from secrets s where s.project_id = $1::uuid and s.name = $2::text", [
          project,
          name,
        ]),
      )) === 1,
    ofRun: (run, names) =>
      database.query<SealedSecret>(
        `select ${sealedColumns}
         from pipeline_runs r
         join secrets s on s.project_id = r.project_id
         where r.id = $1::uuid and s.name = any ($2::text[])`,
        [run, names],
      ),
    sealedOtherwise: (keyId, limit) =>
      database.query<SealedSecret>(
        `select ${sealedColumns} from secrets s where s.key_id <> $1::text
         order by s.project_id, s.name limit $2::integer`,
        [keyId, limit],
      ),
    reseal: async (before, after) =>
      (await database.execute(
        `update secrets s set key_id = $3::text, sealed = $4::bytea
         where s.project_id = $1::uuid and s.name = $2::text and s.sealed = $5::bytea`,
        [before.project_id, before.name, after.key_id, after.sealed, before.sealed],
      )) === 1,
  };
}
