/** Sealed secrets of projects. What is in them is known to whoever has the key, which is not here. */
import type { ProjectId, RunId } from "../kernel/index.ts";
import { type NewAuditEntry, withAudit } from "./audit.ts";
import type { Database, Queryable } from "./database.ts";
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

export interface NewSecret {
  readonly project_id: ProjectId;
  readonly name: string;
  readonly created_by: string;
  /** Called once no change of keys is under way, nor can begin before this is written. */
  readonly seal: () => SealedSecret;
}

export interface SecretStore {
  /** Makes it, or replaces what was there under its name. */
  put(secret: NewSecret, audit?: NewAuditEntry): Promise<SecretRow>;
  /** All of a project, by name. */
  list(project: ProjectId): Promise<readonly SecretRow[]>;
  /** False: there was none. */
  remove(project: ProjectId, name: string, audit?: NewAuditEntry): Promise<boolean>;
  /** Those of the run's project that are called so. */
  ofRun(run: RunId, names: readonly string[]): Promise<readonly SealedSecret[]>;
  /** Those of the project that are called so. */
  named(project: ProjectId, names: readonly string[]): Promise<readonly SealedSecret[]>;
  /** One at a time of all processes, and with no `put` beside it. What it writes is written when `work` resolves. */
  alone<T>(work: (secrets: AllSecrets) => Promise<T>): Promise<T>;
}

/** The secrets of all projects, for a change of keys. */
export interface AllSecrets {
  /** Those that another key than this one sealed. */
  sealedOtherwise(keyId: string): Promise<readonly SealedSecret[]>;
  replace(secret: SealedSecret): Promise<void>;
  keysInUse(): Promise<readonly string[]>;
}

/** Names the advisory lock between changes of keys and what is sealed meanwhile. */
const keysLock = 0x5ec7_0001;

const columns = "row.project_id, row.name, row.created_by, row.created_at, row.updated_at";
const sealedColumns = "s.project_id, s.name, s.key_id, s.sealed";

export function createSecretStore(database: Database): SecretStore {
  return {
    async put({ project_id, name, created_by, seal }, audit) {
      const write = async (transaction: Queryable) => {
        await transaction.query("select pg_advisory_xact_lock_shared($1::bigint)", [keysLock]);
        const { key_id, sealed } = seal();
        return await transaction.query<SecretRow>(
          `insert into secrets as row (project_id, name, key_id, sealed, created_by)
           values ($1::uuid, $2::text, $3::text, $4::bytea, $5::text)
           on conflict (project_id, name) do update
           set key_id = excluded.key_id, sealed = excluded.sealed, updated_at = now()
           returning ${columns}`,
          [project_id, name, key_id, sealed, storableText(created_by)],
        );
      };
      const [row] =
        audit === undefined ? await database.transaction(write) : await withAudit(database, audit, write);
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
    named: (project, names) =>
      database.query<SealedSecret>(
        `select ${sealedColumns} from secrets s where s.project_id = $1::uuid and s.name = any ($2::text[])`,
        [project, names],
      ),
    alone: (work) =>
      database.transaction(async (transaction) => {
        await transaction.query("select pg_advisory_xact_lock($1::bigint)", [keysLock]);
        return await work({
          sealedOtherwise: (keyId) =>
            transaction.query<SealedSecret>(
              `select ${sealedColumns} from secrets s where s.key_id <> $1::text
               order by s.project_id, s.name for update`,
              [keyId],
            ),
          replace: async ({ project_id, name, key_id, sealed }) => {
            await transaction.execute(
              `update secrets s set key_id = $3::text, sealed = $4::bytea
               where s.project_id = $1::uuid and s.name = $2::text`,
              [project_id, name, key_id, sealed],
            );
          },
          keysInUse: async () =>
            (await transaction.query<{ key_id: string }>("select distinct s.key_id from secrets s")).map(
              (row) => row.key_id,
            ),
        });
      }),
  };
}
