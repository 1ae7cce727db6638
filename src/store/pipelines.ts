/** Pipelines of a repository, and the configurations their runs were planned from (each stored once by its digest). */
import { newId, type PipelineId, type RepositoryId } from "../kernel/index.ts";
import type { Database } from "./database.ts";
import { type Page, type PageRequest, readPage } from "./page.ts";
import { vanished } from "./projects.ts";
import type { PipelineConfigRow, PipelineRow, TriggerType } from "./rows.ts";
import { refuseUnstorable } from "./text.ts";

export interface NewPipeline {
  readonly repositoryId: RepositoryId;
  readonly name: string;
  readonly triggerType: TriggerType;
}

export interface PipelineStore {
  /** The repository's pipeline of that name, made at its first use; safe when several processes ask at once. */
  ensure(pipeline: NewPipeline): Promise<PipelineRow>;
  get(id: PipelineId): Promise<PipelineRow | null>;
  list(filter?: { readonly repositoryId?: RepositoryId }, page?: PageRequest): Promise<Page<PipelineRow>>;
  /** The configuration with that digest (`pipeline_runs.config_digest`). */
  config(digest: string): Promise<PipelineConfigRow | null>;
}

const columns = "row.id, row.repository_id, row.name, row.trigger_type, row.created_at, row.updated_at";

export function createPipelineStore(database: Database): PipelineStore {
  const find = async (repositoryId: RepositoryId, name: string) => {
    const rows = await database.query<PipelineRow>(
      `select ${columns} from pipelines row where row.repository_id = $1::uuid and row.name = $2::text`,
      [repositoryId, name],
    );
    return rows[0] ?? null;
  };
  return {
    async ensure({ repositoryId, name, triggerType }) {
      refuseUnstorable(name, "pipeline");
      const known = await find(repositoryId, name);
      if (known !== null) return known;
      const made = await database.query<PipelineRow>(
        `insert into pipelines as row (id, repository_id, name, trigger_type)
         values ($1::uuid, $2::uuid, $3::text, $4::text)
         on conflict (repository_id, name) do nothing
         returning ${columns}`,
        [newId<PipelineId>(), repositoryId, name, triggerType],
      );
      return made[0] ?? (await find(repositoryId, name)) ?? vanished("pipeline", name);
    },
    async get(id) {
      const rows = await database.query<PipelineRow>(
        `select ${columns} from pipelines row where row.id = $1::uuid`,
        [id],
      );
      return rows[0] ?? null;
    },
    list: ({ repositoryId } = {}, page = {}) =>
      readPage<PipelineRow>(
        database,
        {
          columns,
          from: "pipelines row",
          where: repositoryId === undefined ? [] : ["row.repository_id = $1::uuid"],
          values: repositoryId === undefined ? [] : [repositoryId],
        },
        page,
      ),
    async config(digest) {
      const rows = await database.query<PipelineConfigRow>(
        "select c.digest, c.config, c.created_at from pipeline_configs c where c.digest = $1::text",
        [digest],
      );
      return rows[0] ?? null;
    },
  };
}
