/** Pipelines of a repository, and the configurations their runs were planned from (each stored once by its digest). */
import type { TriggerType } from "../../domain/index.ts";
import { newId, type PipelineId, Problem, type ProjectId, type RepositoryId } from "../../kernel/index.ts";
import { type NewAuditEntry, recordAudit } from "../access/audit.ts";
import type { Database, Queryable } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { candidateLimit } from "../db/prefix.ts";
import { refuseUnstorable } from "../db/text.ts";
import { taken, uniquely } from "../db/unique.ts";
import type { PipelineConfigRow, PipelineRow, PipelineSummaryRow } from "../rows.ts";
import { vanished } from "./projects.ts";
import { hadName, purgeArchived, removePipeline } from "./removal.ts";

export interface NewPipeline {
  readonly repositoryId: RepositoryId;
  readonly name: string;
  readonly triggerType: TriggerType;
}

export interface PipelineStore {
  /** The repository's pipeline of that name, made at its first use; safe when several processes ask at once. */
  ensure(pipeline: NewPipeline): Promise<PipelineRow>;
  /**
   * Creates it, or returns what exists with that id and the same data.
   * @throws Problem conflict: the repository has one of that name, or other data has the id
   */
  create(pipeline: NewPipeline & { readonly id: PipelineId }, audit?: NewAuditEntry): Promise<PipelineRow>;
  /** Changes the given fields; a field that is absent keeps its value. Null: no such pipeline. @throws Problem conflict */
  update(
    id: PipelineId,
    change: Partial<Pick<NewPipeline, "name" | "triggerType">>,
    audit?: NewAuditEntry,
  ): Promise<PipelineRow | null>;
  /** One with runs is archived; see `removePipeline`. False: no such pipeline. @throws Problem conflict */
  remove(id: PipelineId, audit?: NewAuditEntry): Promise<boolean>;
  get(id: PipelineId): Promise<PipelineRow | null>;
  /** Deletes what was removed and has no runs any more: pipelines, and projects with their repositories. */
  purgeArchived(): Promise<void>;
  /** With the names of what it belongs to. Also one that was removed. */
  summary(id: PipelineId): Promise<PipelineSummaryRow | null>;
  /** Pipelines that one of the readings names, of one project or of all; at most `candidateLimit`. */
  named(readings: readonly PipelineReading[], projectId?: ProjectId): Promise<readonly PipelineSummaryRow[]>;
  /** The last removed pipeline that one of the readings named before. */
  removed(readings: readonly PipelineReading[], projectId?: ProjectId): Promise<PipelineSummaryRow | null>;
  /** Without those that were removed. */
  list(filter?: PipelineListFilter, page?: PageRequest): Promise<Page<PipelineSummaryRow>>;
  /** The configuration with that digest (`pipeline_runs.config_digest`). */
  config(digest: string): Promise<PipelineConfigRow | null>;
}

/** One way to read what a person wrote as the name of a pipeline. */
export interface PipelineReading {
  /** Null: the text names no project. */
  readonly project: string | null;
  readonly pipeline: string;
}

export interface PipelineListFilter {
  readonly repositoryId?: RepositoryId;
  readonly projectId?: ProjectId;
}

const columns = "row.id, row.repository_id, row.name, row.trigger_type, row.created_at, row.updated_at";

const summaryColumns = `${columns}, row.archived_at, project.id as project_id, project.name as project, repository.clone_url,
  repository.default_branch, repository.clone_secret, repository.account_access`;
const summaryTables = `pipelines row
  join repositories repository on repository.id = row.repository_id
  join projects project on project.id = repository.project_id`;

/** The condition that one of the readings in two arrays names the pipeline. */
export function namedSql(
  pipeline: string,
  project: string,
  [pipelines, projects]: readonly [string, string],
) {
  return `exists (
    select from unnest(${pipelines}::text[], ${projects}::text[]) asked (pipeline, project)
    where asked.pipeline = ${pipeline} and (asked.project is null or asked.project = ${project}))`;
}

export const namedValues = (readings: readonly PipelineReading[]) => [
  readings.map(({ pipeline }) => pipeline),
  readings.map(({ project }) => project),
];

/**
 * Locks the project, so that of two that ask for one name at the same time the second sees the first. Directories that are
 * run without a server share a project by their name, and are not refused (`ensure`).
 * @throws Problem conflict: another pipeline of the project has the name
 */
async function refuseSecond(
  queryable: Queryable,
  { id, repositoryId, name }: { id: PipelineId; repositoryId: RepositoryId; name: string },
): Promise<void> {
  await queryable.query(
    `select project.id from projects project
     join repositories repository on repository.project_id = project.id
     where repository.id = $1::uuid
     for no key update of project`,
    [repositoryId],
  );
  const [other] = await queryable.query<{ clone_url: string; project: string }>(
    `select repository.clone_url, project.name as project
     from repositories mine
     join repositories repository on repository.project_id = mine.project_id
     join projects project on project.id = mine.project_id
     join pipelines pipeline on pipeline.repository_id = repository.id
     where mine.id = $1::uuid and pipeline.name = $2::text and pipeline.archived_at is null and pipeline.id <> $3::uuid
     limit 1`,
    [repositoryId, name, id],
  );
  if (other === undefined) return;
  throw new Problem(
    "conflict",
    `The project ${JSON.stringify(other.project)} has a pipeline ${JSON.stringify(name)} already, of ${other.clone_url}.`,
    { remedy: "Take another name.", place: "name" },
  );
}

export function createPipelineStore(database: Database): PipelineStore {
  const select = (tail: string, values: readonly unknown[], name: string) =>
    database.query<PipelineSummaryRow>(`select ${summaryColumns} from ${summaryTables} ${tail}`, values, {
      name,
    });
  const find = async (repositoryId: RepositoryId, name: string) => {
    const rows = await database.query<PipelineRow>(
      `select ${columns} from pipelines row where row.repository_id = $1::uuid and row.name = $2::text`,
      [repositoryId, name],
    );
    return rows[0] ?? null;
  };
  const get = async (id: PipelineId, queryable: Queryable) => {
    const rows = await queryable.query<PipelineRow>(
      `select ${columns} from pipelines row where row.id = $1::uuid`,
      [id],
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
    async create({ id, repositoryId, name, triggerType }, audit) {
      refuseUnstorable(name, "name");
      const inserting = database.transaction(async (queryable) => {
        await refuseSecond(queryable, { id, repositoryId, name });
        const [made] = await queryable.query<PipelineRow>(
          `insert into pipelines as row (id, repository_id, name, trigger_type)
           values ($1::uuid, $2::uuid, $3::text, $4::text)
           on conflict (id) do nothing
           returning ${columns}`,
          [id, repositoryId, name, triggerType],
        );
        const there = made ?? (await get(id, queryable)) ?? vanished("pipeline", name);
        const same =
          there.repository_id === repositoryId && there.name === name && there.trigger_type === triggerType;
        if (!same) throw taken("pipeline", id);
        if (audit !== undefined) await recordAudit(queryable, [audit]);
        return there;
      });
      return await uniquely(`a pipeline ${JSON.stringify(name)} of this repository`, inserting);
    },
    async update(id, { name, triggerType }, audit) {
      refuseUnstorable(name ?? "", "name");
      const updating = database.transaction(async (queryable) => {
        const there = await get(id, queryable);
        if (there !== null && name !== undefined)
          await refuseSecond(queryable, { id, repositoryId: there.repository_id, name });
        const rows = await queryable.query<PipelineRow>(
          `update pipelines row
         set name = coalesce($2::text, row.name), trigger_type = coalesce($3::text, row.trigger_type),
           updated_at = now()
         where row.id = $1::uuid
         returning ${columns}`,
          [id, name ?? null, triggerType ?? null],
        );
        if (audit !== undefined) await recordAudit(queryable, [audit]);
        return rows;
      });
      return (await uniquely(`a pipeline ${JSON.stringify(name)} of this repository`, updating))[0] ?? null;
    },
    remove: (id, audit) => removePipeline(database, id, audit),
    purgeArchived: () => purgeArchived(database),
    async removed(readings, projectId) {
      const rows = await select(
        `where row.archived_at is not null and ($3::uuid is null or project.id = $3::uuid)
           and exists (
             select from unnest($1::text[], $2::text[]) asked (pipeline, project)
             where ${hadName("row.name", "asked.pipeline")}
               and (asked.project is null or asked.project = project.name
                 or project.archived_at is not null and ${hadName("project.name", "asked.project")}))
         order by row.archived_at desc limit 1`,
        [...namedValues(readings), projectId ?? null],
        "pipelines.removed",
      );
      return rows[0] ?? null;
    },
    summary: async (id) => (await select("where row.id = $1::uuid", [id], "pipelines.summary"))[0] ?? null,
    named: (readings, projectId) =>
      select(
        `where ${namedSql("row.name", "project.name", ["$1", "$2"])}
           and ($3::uuid is null or project.id = $3::uuid)
         order by row.created_at desc, row.id desc limit ${candidateLimit}`,
        [...namedValues(readings), projectId ?? null],
        "pipelines.named",
      ),
    get: (id) => get(id, database),
    list({ repositoryId, projectId } = {}, page = {}) {
      const where = [
        "row.archived_at is null",
        "($1::uuid is null or row.repository_id = $1::uuid)",
        "($2::uuid is null or project.id = $2::uuid)",
      ];
      const values = [repositoryId ?? null, projectId ?? null];
      return readPage<PipelineSummaryRow>(
        database,
        { columns: summaryColumns, from: summaryTables, where, values },
        page,
      );
    },
    async config(digest) {
      const rows = await database.query<PipelineConfigRow>(
        "select c.digest, c.config, c.created_at from pipeline_configs c where c.digest = $1::text",
        [digest],
      );
      return rows[0] ?? null;
    },
  };
}
