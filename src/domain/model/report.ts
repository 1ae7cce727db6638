/** What an executor elsewhere says of an attempt, and the ends that the server gives one for want of that. */
import type { FailureReason } from "./reasons.ts";

export const finalStatuses = ["success", "failed", "canceled"] as const;
export type FinalStatus = (typeof finalStatuses)[number];

/** Why an attempt is to end before its script does. */
export const stopCauses = ["canceled", "timed_out"] as const;
export type StopCause = (typeof stopCauses)[number];

/** `executor_lost`: silent for too long; `unschedulable`: nobody came for it. */
export type CloseReason = StopCause | "unschedulable" | "start_failed" | "executor_lost";

/** The final report, as it was first given. */
export interface FinalReport {
  readonly status: FinalStatus;
  /** Null when the script did not end by itself. */
  readonly exit_code: number | null;
  readonly reason: FailureReason | null;
  readonly message: string | null;
  /** Where the executor keeps a log of its own. */
  readonly logs_uri: string | null;
  readonly log_bytes: number | null;
  /** Lower-case hex. */
  readonly log_sha256: string | null;
  /** `sha256` null: the sender named the id alone. */
  readonly artifacts: readonly { readonly id: string; readonly sha256: string | null }[];
}
