/** The audit log of dangerous operations. Append-only; the database refuses every change. */
import type { ProjectId } from "../../kernel/index.ts";
import type { Database, Queryable } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { storableJson } from "../db/text.ts";
import type { AuditRow } from "../rows.ts";

export type NewAuditEntry = Omit<AuditRow, "id" | "created_at">;

export interface AuditStore {
  /** All of them or none, in their order. */
  record(entries: readonly NewAuditEntry[]): Promise<void>;
  list(filter?: { readonly projectId?: ProjectId }, page?: PageRequest): Promise<Page<AuditRow>>;
}

const columns = `row.id, row.created_at, row.by_name, row.token_id, row.action, row.project_id, row.entity_id,
  row.outcome, row.request_id`;

export function createAuditStore(database: Database): AuditStore {
  return {
    record: (entries) => recordAudit(database, entries),
    list: ({ projectId } = {}, page = {}) =>
      readPage<AuditRow>(
        database,
        {
          columns,
          from: "audit_log row",
          where: projectId === undefined ? [] : ["row.project_id = $1::uuid"],
          values: projectId === undefined ? [] : [projectId],
        },
        page,
      ),
  };
}

/** A change and its entry in one transaction, so that neither is there without the other. */
export async function withAudit<T>(
  database: Database,
  audit: NewAuditEntry | undefined,
  change: (queryable: Queryable) => Promise<T>,
): Promise<T> {
  if (audit === undefined) return await change(database);
  return await database.transaction(async (transaction) => {
    const result = await change(transaction);
    await recordAudit(transaction, [audit]);
    return result;
  });
}

/**
 * Writes entries that a statement has at hand as JSON. Not at now(), which is one instant for all of them, and for a
 * transaction its beginning.
 * @param entry the expression that is a `NewAuditEntry`, as jsonb
 */
export const auditSql = (from: string, entry: string, where = "true") => `
insert into audit_log (by_name, token_id, action, project_id, entity_id, outcome, request_id, created_at)
select e.by_name, e.token_id, e.action, e.project_id, e.entity_id, e.outcome, e.request_id, clock_timestamp()
from ${from}
cross join lateral jsonb_to_record(${entry}) as e (by_name text, token_id uuid, action text, project_id uuid,
  entity_id text, outcome text, request_id text)
where ${where}`;

const recordSql = auditSql("jsonb_array_elements($1::jsonb) a (entry)", "a.entry");

/** All of them or none, in their order. */
export async function recordAudit(queryable: Queryable, entries: readonly NewAuditEntry[]): Promise<void> {
  if (entries.length > 0)
    await queryable.execute(recordSql, [storableJson(entries)], { name: "audit.record" });
}
