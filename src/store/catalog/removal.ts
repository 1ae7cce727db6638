/**
 * Removes pipelines and projects. One that has runs is archived instead of deleted: it leaves every list, accepts no runs
 * and frees its name, and its runs stay until the purge has deleted them.
 */
import { type PipelineId, Problem, type ProjectId } from "../../kernel/index.ts";
import { type NewAuditEntry, recordAudit } from "../access/audit.ts";
import type { Database, Queryable } from "../db/database.ts";

/** The name that a removed row keeps: `web (removed 2026-11-28T19:50:12.123Z)`. */
const removedName = `name || to_char(now() at time zone 'UTC', '" (removed "YYYY-MM-DD"T"HH24:MI:SS.MS"Z)"')`;

/** The condition that a removed row had this name. */
export const hadName = (column: string, name: string) => `starts_with(${column}, ${name} || ' (removed ')`;

/** False: no such pipeline. @throws Problem conflict: it has runs that are not over */
export async function removePipeline(
  database: Database,
  id: PipelineId,
  audit: NewAuditEntry | undefined,
): Promise<boolean> {
  return await database.transaction(async (transaction) => {
    // Whoever accepts a run updates this row, so none comes in between.
    const found = await transaction.query(
      "select p.id from pipelines p where p.id = $1::uuid and p.archived_at is null for update",
      [id],
    );
    if (found.length === 0) return false;
    await refuseUnfinished(transaction, "The pipeline", [id]);
    await archivePipelines(transaction, [id]);
    if (audit !== undefined) await recordAudit(transaction, [audit]);
    return true;
  });
}

/** Everything that belongs to a project, except its history. */
export interface ProjectContents {
  /** Names, sorted. */
  readonly pipelines: readonly string[];
  /** Addresses, sorted. */
  readonly repositories: readonly string[];
  readonly secrets: number;
  readonly registry_logins: number;
  /** Tokens that are not revoked. */
  readonly tokens: number;
}

export type ProjectRemoval = "removed" | "absent" | { readonly contents: ProjectContents };

/**
 * Removes a project: its secrets and registry logins are deleted, its tokens revoked, its pipelines removed.
 * @returns what is in it, and nothing is changed, where it is not empty and `contents` is `refuse`
 * @throws Problem conflict: it has runs that are not over
 */
export async function removeProject(
  database: Database,
  id: ProjectId,
  contents: "refuse" | "remove",
  audit: NewAuditEntry | undefined,
): Promise<ProjectRemoval> {
  return await database.transaction(async (transaction): Promise<ProjectRemoval> => {
    // Accepting a run locks its pipeline before its project, so this does too.
    const pipelines = await transaction.query<{ readonly id: PipelineId }>(
      `select p.id from pipelines p join repositories r on r.id = p.repository_id
       where r.project_id = $1::uuid and p.archived_at is null
       order by p.id for update of p`,
      [id],
    );
    const found = await transaction.query(
      "select p.id from projects p where p.id = $1::uuid and p.archived_at is null for update",
      [id],
    );
    if (found.length === 0) return "absent";
    const ids = pipelines.map((pipeline) => pipeline.id);
    if (contents === "refuse") {
      const inside = await contentsOf(transaction, id);
      if (Object.values(inside).some((one) => (typeof one === "number" ? one : one.length) > 0))
        return { contents: inside };
    }
    await refuseUnfinished(transaction, "The project", ids);
    await archivePipelines(transaction, ids);
    for (const statement of emptyProject) await transaction.execute(statement, [id]);
    await transaction.execute(deleteEmpty("p.id = $1::uuid"), [id]);
    await transaction.execute(
      `update projects p set archived_at = now(), updated_at = now(), name = p.${removedName}
       where p.id = $1::uuid`,
      [id],
    );
    if (audit !== undefined) await recordAudit(transaction, [audit]);
    return "removed";
  });
}

/** Deletes what was archived and has no runs any more. */
export async function purgeArchived(database: Database): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction.execute(
      `delete from pipelines p where p.archived_at is not null
         and not exists (select from pipeline_runs r where r.pipeline_id = p.id)`,
    );
    await transaction.execute(
      `delete from repositories r using projects p where p.id = r.project_id and p.archived_at is not null
         and not exists (select from pipelines l where l.repository_id = r.id)`,
    );
    await transaction.execute(deleteEmpty("p.archived_at is not null"));
  });
}

const deleteEmpty = (which: string) => `delete from projects p where ${which}
  and not exists (select from repositories r where r.project_id = p.id)`;

const emptyProject = [
  "delete from secrets s where s.project_id = $1::uuid",
  "delete from retired_secrets s where s.project_id = $1::uuid",
  "delete from registry_logins l where l.project_id = $1::uuid",
  "update tokens t set revoked_at = now() where t.project_id = $1::uuid and t.revoked_at is null",
  `delete from repositories r where r.project_id = $1::uuid
     and not exists (select from pipelines p where p.repository_id = r.id)`,
];

/** Deletes those without runs and archives the others. */
async function archivePipelines(queryable: Queryable, ids: readonly PipelineId[]): Promise<void> {
  await queryable.execute(
    `delete from pipelines p where p.id = any ($1::uuid[])
       and not exists (select from pipeline_runs r where r.pipeline_id = p.id)`,
    [ids],
  );
  await queryable.execute(
    `update pipelines p set archived_at = now(), updated_at = now(), name = p.${removedName}
     where p.id = any ($1::uuid[])`,
    [ids],
  );
}

async function contentsOf(queryable: Queryable, id: ProjectId): Promise<ProjectContents> {
  const [contents] = await queryable.query<ProjectContents>(
    `select
       array(select p.name from pipelines p join repositories r on r.id = p.repository_id
         where r.project_id = $1::uuid and p.archived_at is null order by p.name) as pipelines,
       array(select r.clone_url from repositories r where r.project_id = $1::uuid
         and not exists (select from pipelines p where p.repository_id = r.id and p.archived_at is not null)
         order by r.clone_url) as repositories,
       (select count(*)::integer from secrets s where s.project_id = $1::uuid) as secrets,
       (select count(*)::integer from registry_logins l where l.project_id = $1::uuid) as registry_logins,
       (select count(*)::integer from tokens t
         where t.project_id = $1::uuid and t.revoked_at is null) as tokens`,
    [id],
  );
  if (contents === undefined) throw new TypeError("a select of one row gave none");
  return contents;
}

async function refuseUnfinished(
  queryable: Queryable,
  what: string,
  pipelines: readonly PipelineId[],
): Promise<void> {
  const runs = await queryable.query<{ readonly number: number; readonly pipeline: string }>(
    `select r.number, p.name as pipeline
     from pipeline_runs r join pipelines p on p.id = r.pipeline_id
     where r.pipeline_id = any ($1::uuid[]) and r.status in ('pending', 'running')
     order by p.name, r.number limit 11`,
    [pipelines],
  );
  if (runs.length === 0) return;
  const named = runs.slice(0, 10).map(({ pipeline, number }) => `${pipeline}#${number}`);
  const more = runs.length > named.length ? " and more" : "";
  throw new Problem("conflict", `${what} has runs that are not over: ${named.join(", ")}${more}.`, {
    remedy: "Cancel them, or wait for their end.",
  });
}
