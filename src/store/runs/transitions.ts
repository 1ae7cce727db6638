/** The history of a run, in order. Append-only; written by the statements that change the run. */
import { createCoalescer, type RunId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import { checkedLimit } from "../db/page.ts";
import type { TransitionRow } from "../rows.ts";

/** A piece of a run's history, bounded in rows and bytes. */
export interface TransitionPage {
  readonly rows: readonly TransitionRow[];
  /** `full`: the bounds end it, so more may be recorded already. */
  readonly end: "full" | "so_far";
}

export interface TransitionStore {
  /**
   * The next piece after that seq, at most 500 rows and about 64 KiB. Followers that ask for the same
   * piece while it is being read share the next reading.
   */
  page(runId: RunId, seq: number): Promise<TransitionPage>;
  /** Transitions with a higher seq, in order, 1 to 1,000 (default 50); seq has no gaps. */
  after(runId: RunId, seq: number, limit?: number): Promise<readonly TransitionRow[]>;
  /** Makes the partitions of this month and the next `months`; returns how many were made. Call it now and then. */
  ensurePartitions(months: number): Promise<number>;
}

const pageRows = 500;
const pageBytes = 65_536;

// seq has no gaps, so the first row is the next one, and it is given however large it is.
const pageSql = `
select run_id, seq, entity, entity_id, from_state, to_state, cause, evidence, at, found
from (
  select t.*, count(*) over ()::integer as found,
    sum(200 + octet_length(t.cause) + coalesce(octet_length(t.evidence::text), 0)) over (order by t.seq) as bytes
  from (
    select t.run_id, t.seq, t.entity, t.entity_id, t.from_state, t.to_state, t.cause, t.evidence, t.at
    from transitions t
    where t.run_id = $1::uuid and t.seq > $2::integer
    order by t.seq
    limit ${pageRows}
  ) t
) t
where bytes <= ${pageBytes} or seq = $2::integer + 1
order by seq`;

export function createTransitionStore(database: Database): TransitionStore {
  const reading = createCoalescer(async (key: string): Promise<TransitionPage> => {
    const [runId, seq]: readonly [RunId, number] = JSON.parse(key);
    const found = await database.query<TransitionRow & { found?: number }>(pageSql, [runId, seq], {
      name: "transitions.page",
    });
    const all = found[0]?.found ?? 0;
    for (const row of found) delete row.found;
    return { rows: found, end: all === pageRows || found.length < all ? "full" : "so_far" };
  });
  return {
    page: (runId, seq) => reading.request(JSON.stringify([runId, seq])),
    after: (runId, seq, limit) =>
      database.query<TransitionRow>(
        `select t.run_id, t.seq, t.entity, t.entity_id, t.from_state, t.to_state, t.cause, t.evidence, t.at
         from transitions t
         where t.run_id = $1::uuid and t.seq > $2::integer
         order by t.seq
         limit $3::integer`,
        [runId, seq, checkedLimit(limit)],
        { name: "transitions.after" },
      ),
    async ensurePartitions(months) {
      const rows = await database.query<{ made: number }>(
        "select ensure_transition_partitions($1::integer) as made",
        [months],
      );
      return rows[0]?.made ?? 0;
    },
  };
}
