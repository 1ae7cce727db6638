/** Repositories of a project, known by the address they are cloned from. */
import { newId, type ProjectId, type RepositoryId } from "../kernel/index.ts";
import type { Database } from "./database.ts";
import { type Page, type PageRequest, readPage } from "./page.ts";
import { vanished } from "./projects.ts";
import type { RepositoryRow, VcsProvider } from "./rows.ts";
import { refuseUnstorable } from "./text.ts";

export interface NewRepository {
  readonly projectId: ProjectId;
  readonly vcsProvider: VcsProvider;
  /** At most 2,048 bytes. */
  readonly cloneUrl: string;
  readonly defaultBranch: string | null;
}

export interface RepositoryStore {
  /** The project's repository at that address, made at its first use; safe when several processes ask at once. */
  ensure(repository: NewRepository): Promise<RepositoryRow>;
  get(id: RepositoryId): Promise<RepositoryRow | null>;
  list(filter?: { readonly projectId?: ProjectId }, page?: PageRequest): Promise<Page<RepositoryRow>>;
}

const columns = `row.id, row.project_id, row.vcs_provider, row.clone_url, row.default_branch, row.created_at,
  row.updated_at`;

export function createRepositoryStore(database: Database): RepositoryStore {
  const find = async (projectId: ProjectId, cloneUrl: string) => {
    const rows = await database.query<RepositoryRow>(
      `select ${columns} from repositories row where row.project_id = $1::uuid and row.clone_url = $2::text`,
      [projectId, cloneUrl],
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
    async get(id) {
      const rows = await database.query<RepositoryRow>(
        `select ${columns} from repositories row where row.id = $1::uuid`,
        [id],
      );
      return rows[0] ?? null;
    },
    list: ({ projectId } = {}, page = {}) =>
      readPage<RepositoryRow>(
        database,
        {
          columns,
          from: "repositories row",
          where: projectId === undefined ? [] : ["row.project_id = $1::uuid"],
          values: projectId === undefined ? [] : [projectId],
        },
        page,
      ),
  };
}
