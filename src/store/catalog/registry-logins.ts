/** A project's logins at registries. The password is a secret of the project, referred to by name. */
import type { ProjectId, RunId } from "../../kernel/index.ts";
import { type NewAuditEntry, withAudit } from "../access/audit.ts";
import type { Database } from "../db/database.ts";
import { refuseUnstorable, storableText } from "../db/text.ts";

export interface RegistryLoginRow {
  readonly project_id: ProjectId;
  /** `host[:port]`, lower case. */
  readonly host: string;
  readonly username: string;
  readonly secret: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export type NewRegistryLogin = Pick<
  RegistryLoginRow,
  "project_id" | "host" | "username" | "secret" | "created_by"
>;

export interface RegistryLoginStore {
  /** Makes it, or replaces what was there for that host. */
  put(login: NewRegistryLogin, audit?: NewAuditEntry): Promise<RegistryLoginRow>;
  /** All of a project, by host. */
  list(project: ProjectId): Promise<readonly RegistryLoginRow[]>;
  /** False: there was none. */
  remove(project: ProjectId, host: string, audit?: NewAuditEntry): Promise<boolean>;
  /** The login of the run's project at the host. */
  ofRun(run: RunId, host: string): Promise<RegistryLoginRow | null>;
}

const columns = `row.project_id, row.host, row.username, row.secret, row.created_by, row.created_at, row.updated_at`;

export function createRegistryLoginStore(database: Database): RegistryLoginStore {
  return {
    async put({ project_id, host, username, secret, created_by }, audit) {
      refuseUnstorable(username, "username");
      const [row] = await withAudit(database, audit, (queryable) =>
        queryable.query<RegistryLoginRow>(
          `insert into registry_logins as row (project_id, host, username, secret, created_by)
           values ($1::uuid, $2::text, $3::text, $4::text, $5::text)
           on conflict (project_id, host) do update
           set username = excluded.username, secret = excluded.secret, updated_at = now()
           returning ${columns}`,
          [project_id, host, username, secret, storableText(created_by)],
        ),
      );
      if (row === undefined) throw new TypeError("insert … returning gave no row");
      return row;
    },
    list: (project) =>
      database.query<RegistryLoginRow>(
        `select ${columns} from registry_logins row where row.project_id = $1::uuid order by row.host`,
        [project],
      ),
    remove: async (project, host, audit) =>
      (await withAudit(database, audit, (queryable) =>
        queryable.execute(
          "delete from registry_logins l where l.project_id = $1::uuid and l.host = $2::text",
          [project, host],
        ),
      )) === 1,
    async ofRun(run, host) {
      const [row] = await database.query<RegistryLoginRow>(
        `select ${columns}
         from pipeline_runs r
         join registry_logins row on row.project_id = r.project_id and row.host = $2::text
         where r.id = $1::uuid`,
        [run, host],
      );
      return row ?? null;
    },
  };
}
