/** Reasons of failures: one closed set, the same in database, API, CLI and metric labels. */
export const failureReasons = [
  "script_failed",
  "timed_out",
  "out_of_memory",
  "evicted",
  "node_lost",
  "image_pull_failed",
  "unschedulable",
  "start_failed",
  "executor_lost",
  "artifact_missing",
  "artifact_corrupt",
  "source_unavailable",
  "config_invalid",
  "deploy_unknown",
  "canceled",
  "internal",
] as const;
export type FailureReason = (typeof failureReasons)[number];

/** Reasons that a `retry:` in the pipeline file may name: the user's own failures, and those of the infrastructure. */
export const retryableReasons = [
  "script_failed",
  "timed_out",
  "out_of_memory",
  "evicted",
  "node_lost",
  "image_pull_failed",
  "unschedulable",
  "start_failed",
  "executor_lost",
] as const satisfies readonly FailureReason[];
export type RetryableReason = (typeof retryableReasons)[number];
