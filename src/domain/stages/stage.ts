/** The interface of a stage. Each inator is pure; the orchestrator submits and registers on its behalf. */
import type { ExecutionId } from "../../kernel/index.ts";
import type { CollectedOutput, Outcome, StepPlan } from "../model/execution-spec.ts";
import type { JobType, PipelineConfig, TemplateVariables } from "../model/pipeline-config.ts";
import type { FailureReason } from "../model/reasons.ts";

export interface PlanContext {
  readonly variables: TemplateVariables;
  /** Seconds between SIGTERM and SIGKILL where the stage does not need more. */
  readonly graceSeconds: number;
}

/** The result of one attempt. `failed` carries the first true reason. */
export type Result =
  | { readonly state: "succeeded" }
  | {
      readonly state: "failed" | "lost" | "canceled";
      readonly reason: FailureReason;
      readonly message: string | null;
    };

export interface Evaluation {
  readonly result: Result;
  /** The outputs to register in the same transaction. */
  readonly artifacts: readonly Extract<CollectedOutput, { found: true }>[];
}

export interface Inator {
  readonly jobType: JobType;
  /** The stage's steps in order, template variables filled in; null where the file has no such stage. */
  plan(config: PipelineConfig, context: PlanContext): readonly StepPlan[] | null;
  /** The outputs to collect after this outcome. */
  wanted(plan: StepPlan, outcome: Outcome): StepPlan["outputs"];
  /**
   * A step that finds out what an attempt has done whose end leaves it open. It changes nothing, is no step of the run and
   * leaves no rows; running it twice is harmless. Null: there is nothing to find out.
   */
  probe?(plan: StepPlan, executionId: ExecutionId, outcome: Outcome): StepPlan | null;
  /**
   * Success needs exit status, final report and every declared artifact; else a failure with the true reason.
   * @param probed the end of the step of `probe`, where there was one
   */
  evaluate(
    plan: StepPlan,
    outcome: Outcome,
    collected: readonly CollectedOutput[],
    probed?: Outcome | null,
  ): Evaluation;
}
