/** Who used what is dangerous. Append-only; the database refuses every change. */
import type { ProjectId } from "../kernel/index.ts";
import type { Database, Queryable } from "./database.ts";
import { type Page, type PageRequest, readPage } from "./page.ts";
import type { AuditRow } from "./rows.ts";
import { storableText } from "./text.ts";

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
    record: (entries) => record(database, entries),
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
    await record(transaction, [audit]);
    return result;
  });
}

async function record(queryable: Queryable, entries: readonly NewAuditEntry[]): Promise<void> {
  // Not now(), which is one instant for all of them, and for a transaction its beginning.
  await queryable.execute(
    `insert into audit_log (by_name, token_id, action, project_id, entity_id, outcome, request_id, created_at)
     select e.by_name, e.token_id, e.action, e.project_id, e.entity_id, e.outcome, e.request_id, clock_timestamp()
     from unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[])
       as e (by_name, token_id, action, project_id, entity_id, outcome, request_id)`,
    [
      entries.map(({ by_name }) => storableText(by_name)),
      entries.map(({ token_id }) => token_id),
      entries.map(({ action }) => action),
      entries.map(({ project_id }) => project_id),
      entries.map(({ entity_id }) => storableText(entity_id)),
      entries.map(({ outcome }) => outcome),
      entries.map(({ request_id }) => storableText(request_id)),
    ],
    { name: "audit.record" },
  );
}
