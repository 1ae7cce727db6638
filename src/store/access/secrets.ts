/** Encrypted secrets of projects. The keys are not in the database. */
import type { ProjectId, RunId } from "../../kernel/index.ts";
import type { Database, Queryable } from "../db/database.ts";
import { storableText } from "../db/text.ts";
import { type NewAuditEntry, withAudit } from "./audit.ts";

export interface SecretRow {
  readonly project_id: ProjectId;
  readonly name: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface EncryptedSecret {
  readonly project_id: ProjectId;
  readonly name: string;
  readonly key_id: string;
  readonly encrypted: Uint8Array;
}

/** An encrypted value. `retired` is the id of a value that was replaced or removed; null: the secret's present value. */
export interface EncryptedValue extends EncryptedSecret {
  readonly retired: number | null;
}

export interface NewSecret {
  readonly project_id: ProjectId;
  readonly name: string;
  readonly created_by: string;
  /** Called while no change of keys is under way; none can begin before the result is written. */
  readonly encrypt: () => EncryptedSecret;
}

export interface SecretStore {
  /** Creates the secret, or replaces and retires its value. */
  put(secret: NewSecret, audit?: NewAuditEntry): Promise<SecretRow>;
  /** All of a project, by name. */
  list(project: ProjectId): Promise<readonly SecretRow[]>;
  /** Removes the secret and retires its value. False: there was none. */
  remove(project: ProjectId, name: string, audit?: NewAuditEntry): Promise<boolean>;
  /** Values of these names in the run's project, also retired ones. */
  ofRun(run: RunId, names: readonly string[]): Promise<readonly EncryptedValue[]>;
  /** Secrets of these names in the project. */
  named(project: ProjectId, names: readonly string[]): Promise<readonly EncryptedSecret[]>;
  /** Deletes retired values that no unfinished run can have received. */
  purgeRetired(): Promise<void>;
  /** Runs `work` alone among all processes, and without a `put` beside it. Its writes are committed when `work` resolves. */
  alone<T>(work: (secrets: AllSecrets) => Promise<T>): Promise<T>;
}

/** The secrets of all projects, for a change of keys. */
export interface AllSecrets {
  /** Values that are encrypted with another key than this one, also retired ones. */
  encryptedOtherwise(keyId: string): Promise<readonly EncryptedValue[]>;
  reencrypt(value: EncryptedValue): Promise<void>;
  keysInUse(): Promise<readonly string[]>;
}

/** Id of the advisory lock between changes of keys and new values. */
const keysLock = 0x5ec7_0001;

const columns = "row.project_id, row.name, row.created_by, row.created_at, row.updated_at";
const encryptedColumns = "s.project_id, s.name, s.key_id, s.encrypted";
const retire = "insert into retired_secrets (project_id, name, key_id, encrypted)";

const allValues = `
  select s.project_id, s.name, s.key_id, s.encrypted, null::bigint as retired from secrets s
  union all
  select s.project_id, s.name, s.key_id, s.encrypted, s.id from retired_secrets s`;

export function createSecretStore(database: Database): SecretStore {
  return {
    async put({ project_id, name, created_by, encrypt }, audit) {
      const write = async (transaction: Queryable) => {
        await transaction.query("select pg_advisory_xact_lock_shared($1::bigint)", [keysLock]);
        // Two puts of a new name must not both consider it absent: the first value would be lost unretired.
        await transaction.query("select from projects p where p.id = $1::uuid for no key update", [
          project_id,
        ]);
        await transaction.execute(
          `${retire} select ${encryptedColumns} from secrets s
           where s.project_id = $1::uuid and s.name = $2::text`,
          [project_id, name],
        );
        const { key_id, encrypted } = encrypt();
        return await transaction.query<SecretRow>(
          `insert into secrets as row (project_id, name, key_id, encrypted, created_by)
           values ($1::uuid, $2::text, $3::text, $4::bytea, $5::text)
           on conflict (project_id, name) do update
           set key_id = excluded.key_id, encrypted = excluded.encrypted, updated_at = now()
           returning ${columns}`,
          [project_id, name, key_id, encrypted, storableText(created_by)],
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
        queryable.execute(
          `with gone as (
             delete from secrets s where s.project_id = $1::uuid and s.name = $2::text returning ${encryptedColumns}
           )
           ${retire} select * from gone`,
          [project, name],
        ),
      )) === 1,
    ofRun: (run, names) =>
      database.query<EncryptedValue>(
        `select ${encryptedColumns}, s.retired
         from pipeline_runs r
         join (${allValues}) s on s.project_id = r.project_id
         where r.id = $1::uuid and s.name = any ($2::text[])
         order by s.retired`,
        [run, names],
      ),
    named: (project, names) =>
      database.query<EncryptedSecret>(
        `select ${encryptedColumns} from secrets s where s.project_id = $1::uuid and s.name = any ($2::text[])`,
        [project, names],
      ),
    async purgeRetired() {
      // Steps receive a value until its replacement is committed, which is less than a minute after `retired_at`.
      await database.execute(
        `delete from retired_secrets s
         where s.retired_at < now() - interval '1 minute' and not exists (
           select from pipeline_runs r
           where r.project_id = s.project_id and r.status in ('pending', 'running')
             and r.created_at < s.retired_at + interval '1 minute')`,
      );
    },
    alone: (work) =>
      database.transaction(async (transaction) => {
        await transaction.query("select pg_advisory_xact_lock($1::bigint)", [keysLock]);
        return await work({
          encryptedOtherwise: async (keyId) => [
            ...(await transaction.query<EncryptedValue>(
              `select ${encryptedColumns}, null as retired from secrets s where s.key_id <> $1::text
               order by s.project_id, s.name for update`,
              [keyId],
            )),
            ...(await transaction.query<EncryptedValue>(
              `select ${encryptedColumns}, s.id as retired from retired_secrets s where s.key_id <> $1::text
               order by s.id for update`,
              [keyId],
            )),
          ],
          reencrypt: async ({ project_id, name, key_id, encrypted, retired }) => {
            const [table, where, values] =
              retired === null
                ? ["secrets", "s.project_id = $3::uuid and s.name = $4::text", [project_id, name]]
                : ["retired_secrets", "s.id = $3::bigint", [retired]];
            await transaction.execute(
              `update ${table} s set key_id = $1::text, encrypted = $2::bytea where ${where}`,
              [key_id, encrypted, ...values],
            );
          },
          keysInUse: async () =>
            (
              await transaction.query<{ key_id: string }>(`select s.key_id from (${allValues}) s
                 union select m.key_id from masked_logs m where m.key_id is not null`)
            ).map((row) => row.key_id),
        });
      }),
  };
}
