/**
 * Writes audit entries that could not be written in the transaction of their change. Entries that arrive while a write
 * is in progress share the next write, so that a busy server pays one commit for many.
 */
import { createCoalescer, errorMessage, type Logger } from "../../kernel/index.ts";
import type { NewAuditEntry } from "../../store/index.ts";

export interface AuditWriter {
  /** Resolves when the entry is written. Never rejects: the change stays, so a failure is logged with the entry. */
  write(entry: NewAuditEntry): Promise<void>;
}

export function createAuditWriter(
  save: (entries: readonly NewAuditEntry[]) => Promise<void>,
  log: Pick<Logger, "error">,
): AuditWriter {
  let waiting: NewAuditEntry[] = [];
  const writes = createCoalescer<null>(async () => {
    const entries = waiting;
    waiting = [];
    try {
      await save(entries);
    } catch (error) {
      for (const entry of entries)
        log.error({ audit: entry, error: errorMessage(error) }, "An audit entry could not be written.");
    }
  });
  return {
    write(entry) {
      waiting.push(entry);
      return writes.request(null);
    },
  };
}
