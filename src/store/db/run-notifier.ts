/**
 * Notifies the change feed of runs after their commits, many in one statement when they come together. Within those
 * commits Postgres would let one at a time through, with its flush to the disk: measured at ten writers, twice the time
 * for each. A notification that is lost with its process is made up for by the followers' sweep.
 */
import type { RunId } from "../../kernel/index.ts";
import { changeChannel } from "./change-feed.ts";
import type { Database } from "./database.ts";

/** A payload has less than 8,000 bytes. */
const maxRuns = 150;

/** @returns says that a run has transitions up to this seq; never throws */
export function createRunNotifier(database: Database): (id: RunId, seq: number) => void {
  const pending = new Map<RunId, number>();
  let isSending = false;

  async function send(): Promise<void> {
    isSending = true;
    try {
      while (pending.size > 0) {
        const runs = [...pending].map(([id, seq]) => `${id} ${seq}`);
        pending.clear();
        const payloads: string[] = [];
        for (let at = 0; at < runs.length; at += maxRuns)
          payloads.push(`runs ${runs.slice(at, at + maxRuns).join(" ")}`);
        await database.query(
          "select pg_notify($1::text, p.payload) from unnest($2::text[]) as p (payload)",
          [changeChannel, payloads],
          { name: "runs.notify" },
        );
      }
    } catch {
      // The database is away, and followers read again when it is back.
    } finally {
      isSending = false;
    }
  }

  return (id, seq) => {
    pending.set(id, Math.max(seq, pending.get(id) ?? 0));
    if (!isSending) void send();
  };
}
