/** Repositories of a project, known by the address they are cloned from. */
import type { VcsProvider } from "../../domain/index.ts";
import { newId, type ProjectId, type RepositoryId } from "../../kernel/index.ts";
import { type NewAuditEntry, withAudit } from "../access/audit.ts";
import type { Database, Queryable } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { refuseUnstorable } from "../db/text.ts";
import { taken, uniquely, unused } from "../db/unique.ts";
import type { RepositoryRow } from "../rows.ts";
import { vanished } from "./projects.ts";

export interface NewRepository {
  readonly projectId: ProjectId;
  readonly vcsProvider: VcsProvider;
  /** At most 2,048 bytes. */
  readonly cloneUrl: string;
  readonly defaultBranch: string | null;
  readonly credential?: CloneCredentialName | null;
  /** `withheld`: Git may not use the credentials of the server's account. */
  readonly account?: "offered" | "withheld";
}

/** The project's secret that Git uses, and the user name with it. */
export interface CloneCredentialName {
  readonly secret: string;
  /** Null: what hosts take for a token. */
  readonly username: string | null;
}

export interface RepositoryStore {
  /** The project's repository at that address, made at its first use; safe when several processes ask at once. */
  ensure(repository: NewRepository): Promise<RepositoryRow>;
  /**
   * Creates it, or returns what exists with that id and the same data.
   * @throws Problem conflict: the project has that address, or other data has the id
   */
  create(
    repository: NewRepository & { readonly id: RepositoryId },
    audit?: NewAuditEntry,
  ): Promise<RepositoryRow>;
  /** Changes the given fields; a field that is absent keeps its value. Null: no such repository. @throws Problem conflict */
  update(id: RepositoryId, change: RepositoryChange, audit?: NewAuditEntry): Promise<RepositoryRow | null>;
  /** False: no such repository. @throws Problem conflict: it has pipelines */
  remove(id: RepositoryId, audit?: NewAuditEntry): Promise<boolean>;
  /** Null: no such repository, or its project was removed. */
  get(id: RepositoryId): Promise<RepositoryRow | null>;
  /** Without those of projects that were removed. */
  list(filter?: { readonly projectId?: ProjectId }, page?: PageRequest): Promise<Page<RepositoryRow>>;
}

export interface RepositoryChange {
  readonly cloneUrl?: string;
  readonly vcsProvider?: VcsProvider;
  readonly defaultBranch?: string | null;
  readonly credential?: CloneCredentialName | null;
  readonly account?: "offered" | "withheld";
}

const columns = `row.id, row.project_id, row.vcs_provider, row.clone_url, row.default_branch,
  row.clone_secret, row.clone_username, row.account_access, row.created_at, row.updated_at`;

const ofLiving =
  "not exists (select from projects p where p.id = row.project_id and p.archived_at is not null)";

export function createRepositoryStore(database: Database): RepositoryStore {
  const find = async (projectId: ProjectId, cloneUrl: string) => {
    const rows = await database.query<RepositoryRow>(
      `select ${columns} from repositories row where row.project_id = $1::uuid and row.clone_url = $2::text`,
      [projectId, cloneUrl],
    );
    return rows[0] ?? null;
  };
  const get = async (id: RepositoryId, queryable: Queryable) => {
    const rows = await queryable.query<RepositoryRow>(
      `select ${columns} from repositories row where row.id = $1::uuid and ${ofLiving}`,
      [id],
    );
    return rows[0] ?? null;
  };
  return {
    async ensure(repository) {
      const { projectId, vcsProvider, cloneUrl, defaultBranch } = repository;
      refuseUnstorable(cloneUrl, "clone_url");
      if (defaultBranch !== null) refuseUnstorable(defaultBranch, "default_branch");
      const known = await find(projectId, cloneUrl);
      if (known !== null) return known;
      const made = await database.query<RepositoryRow>(
        `insert into repositories as row (id, project_id, vcs_provider, clone_url, default_branch)
         values ($1::uuid, $2::uuid, $3::text, $4::text, $5::text)
         on conflict (project_id, clone_url) do nothing
         returning ${columns}`,
        [newId<RepositoryId>(), projectId, vcsProvider, cloneUrl, defaultBranch],
      );
      return made[0] ?? (await find(projectId, cloneUrl)) ?? vanished("repository", cloneUrl);
    },
    async create(
      { id, projectId, vcsProvider, cloneUrl, defaultBranch, credential = null, account = "offered" },
      audit,
    ) {
      refuseUnstorable(cloneUrl, "clone_url");
      refuseUnstorable(defaultBranch ?? "", "default_branch");
      refuseUnstorable(credential?.username ?? "", "clone_username");
      const [secret, username] = [credential?.secret ?? null, credential?.username ?? null];
      const inserting = withAudit(database, audit, async (queryable) => {
        const [made] = await queryable.query<RepositoryRow>(
          `insert into repositories as row
             (id, project_id, vcs_provider, clone_url, default_branch, clone_secret, clone_username, account_access)
           values ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::boolean)
           on conflict (id) do nothing
           returning ${columns}`,
          [id, projectId, vcsProvider, cloneUrl, defaultBranch, secret, username, account === "offered"],
        );
        const there = made ?? (await get(id, queryable)) ?? vanished("repository", cloneUrl);
        const same =
          there.project_id === projectId &&
          there.vcs_provider === vcsProvider &&
          there.clone_url === cloneUrl &&
          there.default_branch === defaultBranch &&
          there.clone_secret === secret &&
          there.clone_username === username;
        if (!same) throw taken("repository", id);
        return there;
      });
      return await uniquely(`a repository ${cloneUrl} in this project`, inserting);
    },
    async update(id, { cloneUrl, vcsProvider, defaultBranch, credential, account }, audit) {
      refuseUnstorable(cloneUrl ?? "", "clone_url");
      refuseUnstorable(defaultBranch ?? "", "default_branch");
      refuseUnstorable(credential?.username ?? "", "clone_username");
      const updating = withAudit(database, audit, (queryable) =>
        queryable.query<RepositoryRow>(
          `update repositories row
         set clone_url = coalesce($2::text, row.clone_url), vcs_provider = coalesce($3::text, row.vcs_provider),
           default_branch = case when $4::boolean then $5::text else row.default_branch end,
           clone_secret = case when $6::boolean then $7::text else row.clone_secret end,
           clone_username = case when $6::boolean then $8::text else row.clone_username end,
           account_access = coalesce($9::boolean, row.account_access), updated_at = now()
         where row.id = $1::uuid
         returning ${columns}`,
          [
            id,
            cloneUrl ?? null,
            vcsProvider ?? null,
            defaultBranch !== undefined,
            defaultBranch ?? null,
            credential !== undefined,
            credential?.secret ?? null,
            credential?.username ?? null,
            account === undefined ? null : account === "offered",
          ],
        ),
      );
      return (await uniquely(`a repository ${cloneUrl} in this project`, updating))[0] ?? null;
    },
    remove: async (id, audit) =>
      (await unused(
        "The repository has pipelines",
        withAudit(database, audit, (queryable) =>
          queryable.execute("delete from repositories r where r.id = $1::uuid", [id]),
        ),
      )) === 1,
    get: (id) => get(id, database),
    list: ({ projectId } = {}, page = {}) =>
      readPage<RepositoryRow>(
        database,
        {
          columns,
          from: "repositories row",
          where: [ofLiving, ...(projectId === undefined ? [] : ["row.project_id = $1::uuid"])],
          values: projectId === undefined ? [] : [projectId],
        },
        page,
      ),
  };
}
