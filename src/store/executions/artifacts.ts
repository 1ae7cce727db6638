/** Artifacts: rows are written by `runs.apply` with the success they prove, and never change but to expire. */
import type { ArtifactId, JobId, RunId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { candidateLimit, idRange } from "../db/prefix.ts";
import type { ArtifactRow } from "../rows.ts";

export interface ArtifactRows {
  get(id: ArtifactId): Promise<ArtifactRow | null>;
  /** Artifacts whose id begins so (hex digits and dashes), at most `candidateLimit`. */
  findByPrefix(prefix: string): Promise<readonly ArtifactRow[]>;
  /** The newest artifact of that name that the run made or reuses. */
  named(runId: RunId, name: string): Promise<ArtifactRow | null>;
  ofJob(jobId: JobId): Promise<readonly ArtifactRow[]>;
  /** Artifacts that the run made or reuses, oldest first. */
  ofRun(runId: RunId): Promise<readonly ArtifactRow[]>;
  list(page?: PageRequest): Promise<Page<ArtifactRow>>;
  /** Marks it as expired, once. False: it was, or there is none. Refused for a digest that a deployment names. */
  expire(id: ArtifactId): Promise<boolean>;
}

export const artifactColumns = `row.id, row.job_id, row.execution_id, row.name, row.artifact_type, row.storage_backend,
  row.storage_path, row.checksum, row.size, row.metadata, row.created_at, row.expired_at`;

/** Artifacts that the run $1 made or reuses, as `row`. */
const ofRunTables = `(
  select a.*
  from jobs j
  join artifacts a on a.job_id = j.id
  where j.pipeline_run_id = $1::uuid
  union all
  select a.*
  from reused_artifacts d
  join artifacts a on a.id = d.artifact_id
  where d.pipeline_run_id = $1::uuid
) row`;

export const artifactsOfRunSql = `
select ${artifactColumns}
from ${ofRunTables}
order by row.created_at, row.name, row.id`;

export function createArtifactRows(database: Database): ArtifactRows {
  const select = (tail: string, values: readonly unknown[]) =>
    database.query<ArtifactRow>(`select ${artifactColumns} from artifacts row ${tail}`, values);
  return {
    get: async (id) => (await select("where row.id = $1::uuid", [id]))[0] ?? null,
    async findByPrefix(prefix) {
      const range = idRange(prefix);
      if (range === null) return [];
      return await select(
        `where row.id between $1::uuid and $2::uuid order by row.id limit ${candidateLimit}`,
        range,
      );
    },
    async named(runId, name) {
      const rows = await database.query<ArtifactRow>(
        `select ${artifactColumns}
         from ${ofRunTables}
         where row.name = $2::text
         order by row.created_at desc, row.id desc
         limit 1`,
        [runId, name],
      );
      return rows[0] ?? null;
    },
    ofJob: (jobId) =>
      select("where row.job_id = $1::uuid order by row.created_at, row.name, row.id", [jobId]),
    ofRun: (runId) => database.query<ArtifactRow>(artifactsOfRunSql, [runId]),
    list: (page = {}) =>
      readPage<ArtifactRow>(
        database,
        { columns: artifactColumns, from: "artifacts row", where: [], values: [] },
        page,
      ),
    expire: async (id) =>
      (await database.execute(
        "update artifacts a set expired_at = now() where a.id = $1::uuid and a.expired_at is null",
        [id],
      )) === 1,
  };
}
