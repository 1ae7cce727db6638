/** Outcomes that the executor did not report itself. */
import type { FailureReason, Outcome } from "../domain/index.ts";
import type { Problem } from "../kernel/index.ts";

/** An attempt of which it is known that no user command began. */
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
    killRung: null,
  };
}

/** An attempt of which nothing is known but that it may have begun. */
export function vanished(): Outcome {
  const message = "the executor has no trace of this attempt, so it cannot be told whether it began";
  return { ...neverBegan("executor_lost", message), began: true, workspaceWhole: false };
}

/** A problem on the way to the start. */
export function outcomeOfProblem(problem: Problem): Outcome {
  const message = problem.remedy === undefined ? problem.message : `${problem.message} (${problem.remedy})`;
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
