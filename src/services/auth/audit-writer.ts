/**
 * Writes entries of the audit that could not be written with the change they tell of: right after it, and those that
 * come while one write is under way together in the next, so that a busy server pays one commit for many.
 */
import { createBatches, errorMessage, type Logger } from "../../kernel/index.ts";
import type { NewAuditEntry } from "../../store/index.ts";

export interface AuditWriter {
  /** Resolves when it is written. Never rejects: what was done stays done, so a failure is logged with the entry. */
  write(entry: NewAuditEntry): Promise<void>;
}

export function createAuditWriter(
  save: (entries: readonly NewAuditEntry[]) => Promise<void>,
  log: Pick<Logger, "error">,
): AuditWriter {
  const batches = createBatches<null, NewAuditEntry, void>(async (_all, entries) => {
    try {
      await save(entries);
    } catch (error) {
      for (const entry of entries)
        log.error({ audit: entry, error: errorMessage(error) }, "an audit entry could not be written");
    }
    return entries.map(() => undefined);
  });
  return { write: (entry) => batches.request(null, entry) };
}
