/** Outcomes that the executor did not report itself. */
import type { FailureReason, Outcome } from "../../domain/index.ts";
import type { Problem } from "../../kernel/index.ts";

/** The outcome of an attempt that certainly began no user command. */
export function neverBegan(reason: FailureReason, message: string | null): Outcome {
  return {
    began: false,
    begunAt: null,
    endedAt: null,
    exitCode: null,
    reason,
    message,
    workspaceWhole: true,
    logBytes: 0,
    logDropped: 0,
    killedBy: null,
  };
}

/** The outcome of an attempt that may have begun. */
export function vanished(): Outcome {
  const message = "The executor has no record of this attempt, so it may have begun.";
  return { ...neverBegan("executor_lost", message), began: true, workspaceWhole: false };
}

/** The outcome of an attempt that could not be started. */
export function outcomeOfProblem(problem: Problem): Outcome {
  const message = problem.remedy === undefined ? problem.message : `${problem.message} ${problem.remedy}`;
  return neverBegan(reasonOf(problem), message);
}

function reasonOf(problem: Problem): FailureReason {
  switch (problem.code) {
    case "source_unavailable":
    case "source_refused":
    case "ref_not_found":
      return "source_unavailable";
    case "artifact_missing":
    case "artifact_corrupt":
      return problem.code;
    case "executor_failed":
    case "environment":
    case "storage_failed":
      return "start_failed";
    case "config_invalid":
      return "config_invalid";
    default:
      return "internal";
  }
}
