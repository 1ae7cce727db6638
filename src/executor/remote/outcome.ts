/** From what was reported of an attempt to how it ended. Pure. */
import type { ExecutionStatus, FailureReason, FinalReport, Outcome } from "../../domain/index.ts";
import { assertNever } from "../../kernel/index.ts";
import type { Report, Upload } from "./types.ts";

/** @param logBytes that are kept */
export function statusOf(report: Report, uploads: readonly Upload[], logBytes: number): ExecutionStatus {
  if (report.final_status !== null || report.closed_at !== null)
    return { state: "ended", outcome: outcomeOf(report, uploads, logBytes) };
  if (report.begun_at !== null) return { state: "begun", begunAt: report.begun_at };
  const isDelivered = report.launched_at !== null || report.claimed_at !== null;
  return isDelivered ? { state: "waiting" } : { state: "waiting", undelivered: true };
}

function outcomeOf(it: Report, uploads: readonly Upload[], logBytes: number): Outcome {
  const said = it.report;
  const [reason, message] = said === null ? closed(it) : reported(it, said, uploads);
  return {
    began: it.begun_at !== null,
    begunAt: it.begun_at,
    endedAt: it.reported_at ?? it.closed_at,
    exitCode: said?.exit_code ?? null,
    reason,
    message,
    workspaceWhole: it.begun_at === null,
    logBytes,
    logDropped: Math.max(0, (said?.log_bytes ?? 0) - (it.log_received ?? logBytes)),
    killedBy: null,
  };
}

type Result = readonly [reason: FailureReason | null, message: string | null];

/** Evaluates a final report. An attempt that was to end for a cause has ended for it, unless it succeeded before. */
function reported({ stop_cause }: Report, said: FinalReport, uploads: readonly Upload[]): Result {
  const { status, exit_code, reason, message } = said;
  switch (status) {
    case "success":
      if (exit_code !== 0)
        return ["internal", `the executor reported success with the exit code ${exit_code ?? "missing"}`];
      return contradiction(said, uploads) ?? [null, message];
    case "canceled":
      return [stop_cause ?? reason ?? "canceled", message];
    case "failed":
      // A script that is told to end may end as it likes.
      if (stop_cause !== null && (reason === null || reason === "script_failed"))
        return [stop_cause, message];
      return [reason ?? "script_failed", message];
    default:
      return assertNever(status, "final status");
  }
}

/** Finds a reported artifact that does not match the uploads. */
function contradiction({ artifacts }: FinalReport, uploads: readonly Upload[]): Result | null {
  for (const { id, sha256 } of artifacts) {
    const upload = uploads.find(({ artifact_id }) => artifact_id === id);
    if (upload === undefined)
      return ["artifact_missing", `the executor reported the artifact ${id}, which it did not upload`];
    if (sha256 !== null && sha256 !== upload.checksum)
      return [
        "artifact_corrupt",
        `the executor reported SHA-256 ${sha256} of ${upload.name}, and what it uploaded has ${upload.checksum}`,
      ];
  }
  return null;
}

function closed({ closed_reason, begun_at }: Report): Result {
  const reason = closed_reason ?? "executor_lost";
  return [reason, closedMessages[reason](begun_at !== null)];
}

const closedMessages: Readonly<
  Record<NonNullable<Report["closed_reason"]>, (began: boolean) => string | null>
> = {
  canceled: () => null,
  timed_out: () => null,
  unschedulable: () => "no executor came for this attempt in time",
  start_failed: () => "the program that starts executors failed",
  executor_lost: (began) =>
    began
      ? "its executor was silent for too long, so it cannot be told what became of the step"
      : "its executor was silent for too long; no command of the step was run",
};
