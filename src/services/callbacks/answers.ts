/** The answers to callbacks: an attempt as its executor sees it, and the reasons of refusals. */

import type { ClaimedExecution, ClaimedInput, StopOrder } from "../../contract/index.ts";
import type { SourceSpec } from "../../domain/index.ts";
import { type Logger, Problem } from "../../kernel/index.ts";
import type { LogStore } from "../../logs/index.ts";
import type { ReportRow } from "../../store/index.ts";
import type { OpenDatabase } from "../deps.ts";
import type { CompiledMasks } from "../secrets/compiled-masks.ts";
import type { SecretKeys } from "../secrets/keys.ts";

export interface CallbackDeps {
  readonly database: () => Promise<Pick<OpenDatabase, "store" | "artifacts" | "owner">>;
  readonly logs: Pick<LogStore, "append" | "digest" | "seal" | "size">;
  readonly logCapBytes: number;
  readonly artifactMaxBytes: number;
  readonly source: { archive(spec: SourceSpec, signal?: AbortSignal): AsyncIterable<Uint8Array> };
  readonly secretKeys: SecretKeys;
  readonly masks: CompiledMasks;
  readonly log: Logger;
}

const heartbeatSeconds = 10;

export function claimedExecution(
  deps: Pick<CallbackDeps, "logCapBytes">,
  { spec }: ReportRow,
  secrets: Readonly<Record<string, string>>,
): ClaimedExecution {
  const { job } = spec;
  return {
    execution_id: spec.executionId,
    attempt: spec.attempt,
    pipeline_run_id: job.runId,
    job: { id: job.jobId, attempt: job.attempt, type: job.jobType },
    step: { id: spec.stepId, name: spec.name },
    image: spec.image,
    command: spec.command,
    shell: spec.shell,
    env: { CI: "true", SHIPINATOR_EXECUTION_ID: spec.executionId, ...spec.env },
    secrets,
    timeout_seconds: spec.timeoutSeconds,
    grace_seconds: spec.graceSeconds,
    source:
      spec.source === "none" || job.source === null
        ? null
        : { commit: job.source.commit, tree: job.source.tree },
    inputs: job.inputs.map(
      ({ name, type, path, sha256, size, metadata }): ClaimedInput => ({
        name,
        type,
        path,
        form: metadata.form,
        mode: metadata.mode ?? null,
        sha256,
        size,
      }),
    ),
    outputs: spec.outputs.map(({ name, type, path, ref, required }) => ({ name, type, path, ref, required })),
    log_cap_bytes: deps.logCapBytes,
    heartbeat_seconds: heartbeatSeconds,
  };
}

export function stopOrder({ stop_cause, stop_grace_seconds }: ReportRow): StopOrder | null {
  return stop_cause === null ? null : { cause: stop_cause, grace_seconds: stop_grace_seconds ?? 0 };
}

/** Why a word of `by` was not taken, given what is recorded. None of these is worth another try. */
export function refusalOf(row: ReportRow, by: string | null): Problem {
  const subject = `execution ${row.execution_id}`;
  if (row.closed_at !== null)
    return new Problem("gone", `${subject} was ended by the server: ${row.closed_reason}`, {
      remedy: "End what is left of it.",
    });
  if (row.claimed_by !== null && by !== null && row.claimed_by !== by)
    return new Problem("conflict", `${subject} is another executor's`, {
      remedy: "End: an attempt is carried out once.",
    });
  if (row.final_status !== null)
    return new Problem("conflict", `${subject} has ended: it was reported as ${row.final_status}`);
  if (row.stop_cause !== null)
    return new Problem("conflict", `${subject} is to end (${row.stop_cause}) and does not begin any more`, {
      remedy: "Report it as canceled.",
    });
  if (row.claimed_by === null) return new Problem("conflict", `${subject} has not been claimed`);
  return new Problem("conflict", `${subject} has not begun, so it cannot have succeeded`);
}
