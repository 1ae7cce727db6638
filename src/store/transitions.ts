/** What happened to a run, in order. Append-only; written by the statements that change the run. */
import type { RunId } from "../kernel/index.ts";
import type { Database } from "./database.ts";
import { checkedLimit } from "./page.ts";
import type { TransitionRow } from "./rows.ts";

export interface TransitionStore {
  /** Transitions with a higher seq, in order, 1 to 1,000 (default 50); seq has no gaps. */
  after(runId: RunId, seq: number, limit?: number): Promise<readonly TransitionRow[]>;
  /** Makes the partitions of this month and the next `months`; returns how many were made. Call it now and then. */
  ensurePartitions(months: number): Promise<number>;
}

export function createTransitionStore(database: Database): TransitionStore {
  return {
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
