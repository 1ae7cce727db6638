/**
 * Keyset pages: newest first, sorted by `(created_at, id)`, with an opaque cursor that names the last row returned.
 * Rows that are added meanwhile appear on no later page, and no row is returned twice or left out.
 */
import { createHash } from "node:crypto";
import { isId, Problem } from "../../kernel/index.ts";
import type { Queryable } from "./database.ts";

export interface PageRequest {
  /** Rows wanted, 1 to 1,000; default 50. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface Page<Row> {
  readonly items: readonly Row[];
  /** Null at the end. */
  readonly nextCursor: string | null;
}

export interface PageSource {
  readonly columns: string;
  /** The listed table goes by the alias `row`. */
  readonly from: string;
  /** The column of `row` that dates it. */
  readonly time?: "created_at" | "started_at";
  /** Conditions whose placeholders number `values` from $1. */
  readonly where: readonly string[];
  readonly values: readonly unknown[];
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

/** @throws Problem usage for a limit or a cursor that is none. */
export async function readPage<Row extends { readonly id: string }>(
  database: Queryable,
  source: PageSource,
  request: PageRequest,
): Promise<Page<Row>> {
  const limit = checkedLimit(request.limit);
  const time = `row.${source.time ?? "created_at"}`;
  const where = [...source.where];
  const values = [...source.values];
  if (request.cursor !== undefined) {
    const { at, id } = decodeCursor(request.cursor, queryOf(source));
    values.push(at, id);
    where.push(`(${time}, row.id) < ($${values.length - 1}::timestamptz, $${values.length}::uuid)`);
  }
  values.push(limit + 1);
  // The cursor takes the time from the database's own text: a Date would cut it to milliseconds.
  const rows = await database.query<Row & { page_at?: string }>(
    `select ${source.columns},
       to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as page_at
     from ${source.from}
     ${where.length === 0 ? "" : `where ${where.join(" and ")}`}
     order by ${time} desc, row.id desc
     limit $${values.length}::integer`,
    values,
  );
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const nextCursor =
    rows.length > limit && last?.page_at !== undefined
      ? encodeCursor(last.page_at, last.id, queryOf(source))
      : null;
  for (const item of items) delete item.page_at;
  return { items, nextCursor };
}

export function checkedLimit(limit: number | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new Problem("usage", `A page holds 1 to ${MAX_LIMIT} rows, not ${limit}.`, {
      place: "limit",
      remedy: "Ask for fewer rows and follow the cursor.",
    });
  return limit;
}

/** Names what is listed, so that a cursor leads nowhere in another list. */
function queryOf({ from, where, values }: PageSource): string {
  return createHash("sha256")
    .update(JSON.stringify([from, where, values]))
    .digest("base64url")
    .slice(0, 11);
}

function encodeCursor(at: string, id: string, query: string): string {
  return Buffer.from(`${at} ${id} ${query}`).toString("base64url");
}

function decodeCursor(cursor: string, query: string): { at: string; id: string } {
  const [at, id, of, ...rest] = Buffer.from(cursor, "base64url").toString("utf8").split(" ");
  const whole = at !== undefined && id !== undefined && of === query && rest.length === 0;
  if (
    !whole ||
    !/^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(at) ||
    Number.isNaN(Date.parse(at)) ||
    !isId(id)
  )
    throw new Problem("usage", "The page cursor is not one that was given out for this list.", {
      place: "cursor",
      remedy: "Start again without a cursor.",
    });
  return { at, id };
}
