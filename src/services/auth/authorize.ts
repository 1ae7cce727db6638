/** Stands before each operation: what it needs, and the audit of what is dangerous. */
import { isId, Problem, type ProjectId } from "../../kernel/index.ts";
import type { AuditRow, NewAuditEntry } from "../../store/index.ts";
import type { AuditWriter } from "./audit-writer.ts";
import { type Caller, requireAllowed } from "./caller.ts";
import { type Operation, operationNeeds } from "./scopes.ts";

/** What an operation turned out to be about, for the audit. */
export interface About {
  readonly project: ProjectId | null;
  readonly entity: string | null;
}

export interface Tell {
  /** Says what it is about, as soon as that is known. */
  (about: About): void;
  /**
   * The entry that this is done, for a store function that writes it in the transaction of the change; then it is not
   * written again, but for a failure. Undefined where there is nothing to write.
   */
  done(): NewAuditEntry | undefined;
}

/**
 * Refuses what the caller may not do, does the work, writes down what is to be audited: also what was refused, and what
 * failed. That what was done could not be written down is logged and changes no answer.
 */
export type Guard = <T>(operation: Operation, work: (tell: Tell) => Promise<T>) => Promise<T>;

/**
 * The guard's first half alone, for whoever looks at the right to ask before the rest of the request: a refusal stands in
 * the audit, and what is allowed comes to the guard later. @throws Problem forbidden
 */
export async function allow(caller: Caller, operation: Operation, audit: AuditWriter): Promise<void> {
  try {
    requireAllowed(caller, operation);
  } catch (error) {
    const about = { project: null, entity: null };
    if (isAudited(caller, operation)) await audit.write(entryOf(caller, operation, about, "refused"));
    throw error;
  }
}

export function createGuard(caller: Caller, audit: AuditWriter): Guard {
  return async (operation, work) => {
    let about: About = { project: null, entity: null };
    let handedOut = false;
    const entry = (outcome: AuditRow["outcome"]) => entryOf(caller, operation, about, outcome);
    const told = (now: About) => {
      about = now;
    };
    const tell: Tell = Object.assign(told, {
      done() {
        if (!isAudited(caller, operation)) return undefined;
        handedOut = true;
        return entry("done");
      },
    });
    let result: Awaited<ReturnType<typeof work>>;
    try {
      requireAllowed(caller, operation);
      result = await work(tell);
    } catch (error) {
      const { code, status } = Problem.from(error);
      if (isAudited(caller, operation) && code !== "database_unavailable")
        await audit.write(entry(status < 500 ? "refused" : "failed"));
      throw error;
    }
    if (isAudited(caller, operation) && !handedOut) await audit.write(entry("done"));
    return result;
  };
}

/** What a person does with runs at the terminal of the server's machine stands in the runs' history. */
function isAudited({ tokenId }: Caller, operation: Operation): boolean {
  if (operationNeeds[operation].audit === "not") return false;
  return tokenId !== null || !(operation.startsWith("runs.") || operation === "local.run");
}

function entryOf(
  caller: Caller,
  operation: Operation,
  { project, entity }: About,
  outcome: AuditRow["outcome"],
): NewAuditEntry {
  return {
    by_name: caller.name,
    token_id: caller.tokenId,
    action: operation,
    project_id: project ?? caller.project,
    // What is no id may be anything, a secret in the wrong place among it.
    entity_id: entity !== null && isId(entity) ? entity : null,
    outcome,
    request_id: caller.requestId,
  };
}
