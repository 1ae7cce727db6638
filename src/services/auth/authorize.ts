/** Authorizes each operation and audits the dangerous ones. */
import { isId, Problem, type ProjectId } from "../../kernel/index.ts";
import type { AuditRow, NewAuditEntry } from "../../store/index.ts";
import type { AuditWriter } from "./audit-writer.ts";
import { type Caller, requireAllowed } from "./caller.ts";
import { type Operation, operationNeeds } from "./scopes.ts";

/** Subject of an operation, for the audit. */
export interface AuditSubject {
  readonly project: ProjectId | null;
  readonly entity: string | null;
}

export interface Audit {
  /** Sets the subject, as soon as it is known. */
  (subject: AuditSubject): void;
  /**
   * Returns the entry for a store function to write in the transaction of the change. It is not written again, except for
   * a failure. Undefined if the operation is not audited.
   */
  done(): NewAuditEntry | undefined;
}

/**
 * Checks the caller's rights, does the work and writes the audit entry, also for a rejected or failed operation. A failure
 * to write the entry is logged and does not change the result.
 */
export type Authorize = <T>(operation: Operation, work: (audit: Audit) => Promise<T>) => Promise<T>;

/**
 * Checks the caller's rights before the rest of the request is read. A rejection is audited; an allowed operation is
 * authorized again later. @throws Problem forbidden
 */
export async function requireAudited(
  caller: Caller,
  operation: Operation,
  audit: AuditWriter,
): Promise<void> {
  try {
    requireAllowed(caller, operation);
  } catch (error) {
    const subject = { project: null, entity: null };
    if (isAudited(caller, operation)) await audit.write(entryOf(caller, operation, subject, "refused"));
    throw error;
  }
}

export function createAuthorize(caller: Caller, writer: AuditWriter): Authorize {
  return async (operation, work) => {
    let subject: AuditSubject = { project: null, entity: null };
    let handedOut = false;
    const entry = (outcome: AuditRow["outcome"]) => entryOf(caller, operation, subject, outcome);
    const setSubject = (now: AuditSubject) => {
      subject = now;
    };
    const audit: Audit = Object.assign(setSubject, {
      done() {
        if (!isAudited(caller, operation)) return undefined;
        handedOut = true;
        return entry("done");
      },
    });
    let result: Awaited<ReturnType<typeof work>>;
    try {
      requireAllowed(caller, operation);
      result = await work(audit);
    } catch (error) {
      const { code, status } = Problem.from(error);
      if (isAudited(caller, operation) && code !== "database_unavailable")
        await writer.write(entry(status < 500 ? "refused" : "failed"));
      throw error;
    }
    if (isAudited(caller, operation) && !handedOut) await writer.write(entry("done"));
    return result;
  };
}

/** Runs from the server's own terminal are not audited, because the runs' history has them. */
function isAudited({ tokenId }: Caller, operation: Operation): boolean {
  if (operationNeeds[operation].audit === "not") return false;
  return tokenId !== null || !(operation.startsWith("runs.") || operation === "local.run");
}

function entryOf(
  caller: Caller,
  operation: Operation,
  { project, entity }: AuditSubject,
  outcome: AuditRow["outcome"],
): NewAuditEntry {
  return {
    by_name: caller.name,
    token_id: caller.tokenId,
    action: operation,
    project_id: project ?? caller.project,
    // Invalid ids are left out, because they may be a misplaced secret.
    entity_id: entity !== null && isId(entity) ? entity : null,
    outcome,
    request_id: caller.requestId,
  };
}
