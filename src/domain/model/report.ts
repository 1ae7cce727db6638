/** Reports of remote executors, and the ends that the server sets where none comes. */
import type { FailureReason } from "./reasons.ts";

export const finalStatuses = ["success", "failed", "canceled"] as const;
export type FinalStatus = (typeof finalStatuses)[number];

/** Causes for ending an attempt before its script ends. */
export const stopCauses = ["canceled", "timed_out"] as const;
export type StopCause = (typeof stopCauses)[number];

/** `executor_lost`: no report for too long; `unschedulable`: no executor claimed it. */
export type CloseReason = StopCause | "unschedulable" | "start_failed" | "executor_lost";

/** The first final report. */
export interface FinalReport {
  readonly status: FinalStatus;
  /** Null when the script did not end by itself. */
  readonly exit_code: number | null;
  readonly reason: FailureReason | null;
  readonly message: string | null;
  /** Address of a log that the executor keeps itself. */
  readonly logs_uri: string | null;
  readonly log_bytes: number | null;
  /** Lower-case hex. */
  readonly log_sha256: string | null;
  /** `sha256` null: the sender named the id alone. */
  readonly artifacts: readonly { readonly id: string; readonly sha256: string | null }[];
}
